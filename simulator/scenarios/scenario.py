"""A whole scenario: the sections and [plan], read from a TOML file or a preset, then frozen.

A preset is such a file in `simulator/scenarios/presets`, named by its stem. An unknown key is
refused with the nearest known one, every value is checked before anything is computed, and a number
may be written alone (then it is an assumption of the file's author) or with its band and source:

    pue = 1.10
    pue = { value = 1.10, low = 1.08, high = 1.13, origin = "measured", source = "meter, 2025" }
"""

from __future__ import annotations

import tomllib
from collections.abc import Container, Mapping
from contextlib import suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator

from energy.errors import InputError, nearest
from energy.facts import catalog
from energy.facts.rows import plain_name
from energy.inputs import read_toml
from simulator.scenarios.fields import RequirementError, Section, explained
from simulator.scenarios.sections import (
    HardwareSection,
    ModelSection,
    PublishedSection,
    RunSection,
    SiteSection,
)
from simulator.scenarios.workload import WorkloadSection

LISTS = "list them with: simulator models"

ALTERNATIVES = {
    "run.tokens": "run.steps",
    "run.steps": "run.tokens",
    "run.batch_tokens": "run.batch_sequences",
    "run.batch_sequences": "run.batch_tokens",
    "hardware.chip": "hardware.machine",
    "hardware.machine": "hardware.chip",
    "model.preset": "model.config",
    "model.config": "model.preset",
}
"""Keys of which a scenario has one or the other."""

OF_ITS_CHIP = (
    "hardware.software",
    "hardware.framework",
    "hardware.link_bytes_per_s",
    "hardware.network_bytes_per_s",
    "site.chip_price",
)
"""What a scenario says of its own chip, which does not hold for another."""

NAMED_FILES = (
    ("hardware", "machine"),
    ("hardware", "chip"),
    ("plan", "expert_load"),
    ("model", "config"),
    ("site", "chip_price"),
    ("site", "electricity_price"),
)
"""Keys of a scenario file that name another file; chips and prices only with .toml in the name."""


def is_named_file(key: str, value: object) -> bool:
    """Whether the value of such a key is the name of a file."""
    rows = ("chip", "chip_price", "electricity_price")
    return isinstance(value, str) and (key not in rows or ".toml" in value)


def _with_price_of_file(table: dict[str, Any]) -> dict[str, Any]:
    """The tables with the price in the file of a chip, unless they have a price of their own."""
    price = catalog.chip(table["hardware"]["chip"]).price_usd_per_h
    site = table.get("site", {})
    if price is None or "chip_price" in site or "electricity_price" in site:
        return table
    return table | {"site": site | {"chip_price": price}}


def _price_of_chip(named: str, chip: str) -> object:
    """The named price of a chip; the name itself where it is none, and its field says so."""
    from energy.facts.prices import price_of, priced

    try:
        rows = priced(named)
        used = catalog.chip(chip).id
    except InputError:
        return named
    try:
        return price_of(used, rows, named).price
    except InputError as error:
        requirement = f"site.chip_price of the chip {chip}"
        fix = error.fix or "write the number instead: --chip-price USD"
        raise RequirementError(requirement, error.value, fix) from error


MOST_NUMBER = 1e36
"""No size, rate or price of a run is greater: products of a few of them are finite."""

FIX = "write one with simulator init FILE.toml, or name a preset"


class Scenario(Section):
    """One question to the simulator, whole and checked.

    `plan` holds fields of `simulator.physics.plan.Plan`.
    """

    name: str = Field(min_length=1)
    description: str = ""
    model: ModelSection
    run: RunSection
    workload: WorkloadSection = WorkloadSection()
    plan: dict[str, Any] = Field(default_factory=dict)
    hardware: HardwareSection
    site: SiteSection = SiteSection()
    published: PublishedSection | None = None

    @model_validator(mode="before")
    @classmethod
    def _price_of_its_chip(cls, table: Any) -> Any:
        """A named price of chips is that of the chip that is used."""
        hardware, place = table.get("hardware"), table.get("site", {})
        if not isinstance(hardware, dict) or not isinstance(place, dict):
            return table
        named, used = place.get("chip_price"), hardware.get("chip")
        if isinstance(named, str) and isinstance(used, str):
            return table | {"site": place | {"chip_price": _price_of_chip(named, used)}}
        return _with_price_of_file(table) if str(used).endswith(".toml") else table

    @property
    def tokens(self) -> float:
        """Tokens of the whole run; the model is looked up only for a run in steps."""
        if self.run.tokens is not None:
            return self.run.tokens
        return self.run.total_tokens(float(self.model.resolve().seq_len))

    def labels(self) -> dict[str, str]:
        """The words by which a record of this scenario is grouped and compared."""
        hardware = self.hardware
        labels = {"model": self.model.name}
        if not self.workload.is_pre_training:
            labels["workload"] = self.workload.kind
        if hardware.chip is not None:
            labels["chip"] = catalog.chip(hardware.chip).id
        elif hardware.machine is not None:
            labels["chip"] = Path(hardware.machine).stem
        return labels


def load(name: str, overrides: dict[str, Any] | None = None) -> Scenario:
    """Read a scenario: a preset by its name, or a TOML file by its path.

    Args:
        name: "glam-64b-64e", or "my/run.toml".
        overrides: values by dotted key, laid over those of the file ("run.tokens": 2.8e11).

    Raises:
        InputError: no such preset or file, or a key or value in it that is not valid.
    """
    path = Path(name)
    if path.suffix == ".toml" or path.is_file():
        where = str(path)
        table = read_toml(path, "a scenario file", FIX)
        table.setdefault("name", path.stem)
        _anchor(table, path.parent)
    elif preset := preset_of(name):
        where = f"preset {preset}"
        table = tomllib.loads(preset_text(preset))
        table.setdefault("name", preset)
    else:
        known = [*presets(), *(row.name for row in catalog.models())]
        what = f"{name}, a folder without config.json" if path.is_dir() else name
        raise InputError(
            "expected a preset, a model or the path of a file",
            what,
            nearest(
                plain_name(name), (), LISTS, aliases={plain_name(each): each for each in known}
            ),
        )
    return with_overrides(table, overrides or {}, where)


def lay_over(table: dict[str, Any], key: str, value: Any) -> None:
    """Set the value of a dotted key; None removes the key.

    Raises:
        InputError: the key leads into something that is no table.
    """
    *path, last = key.split(".")
    for depth, step in enumerate(path, start=1):
        table = table.setdefault(step, {})
        if not isinstance(table, dict):
            raise InputError(
                "expected a key of a table", key, f"{'.'.join(path[:depth])} is a value itself"
            )
    if value is None:
        table.pop(last, None)
    else:
        table[last] = value


def with_overrides(table: dict[str, Any], overrides: Mapping[str, Any], where: str) -> Scenario:
    """Set values by dotted key, then turn the tables into a scenario.

    A value takes the place of its alternative (a batch in sequences that of one in tokens), and
    another chip that of what the tables say of their own.

    Args:
        table: the tables, which are changed.
        overrides: values by dotted key; None removes a key.
        where: where the tables came from, for messages.

    Raises:
        InputError: a key or value is not valid.
    """
    own = table.get("hardware", {}).get("chip") if isinstance(table.get("hardware"), dict) else None
    for key, value in overrides.items():
        if value is not None and ALTERNATIVES.get(key) not in overrides:
            lay_over(table, ALTERNATIVES.get(key, key), None)
        lay_over(table, key, value)
    if _is_other_chip(own, overrides.get("hardware.chip")):
        for key in OF_ITS_CHIP:
            lay_over(table, key, overrides.get(key))
    return check(table, where, overrides)


def _is_other_chip(own: object, chip: object) -> bool:
    """Whether a chip takes the place of another; not where one of them is unknown."""
    rows = [catalog.known_chip(name) for name in (own, chip) if isinstance(name, str)]
    return len(rows) == 2 and None not in rows and rows[0] != rows[1]


def check(table: dict[str, Any], where: str, overrides: Container[str] = ()) -> Scenario:
    """Turn the tables of a file into a scenario, or say what is wrong with them."""
    if endless := _beyond(table, MOST_NUMBER):
        raise InputError(f"expected numbers of at most {MOST_NUMBER:g} in {where}", endless)
    try:
        return Scenario.model_validate(table)
    except ValidationError as error:
        raise explained(error, Scenario, where, overrides) from error


def _beyond(table: dict[str, Any], most: float, inside: str = "") -> str:
    """The first key whose number is greater, with that number; empty where none is."""
    for key, value in table.items():
        if isinstance(value, str):
            with suppress(ValueError):  # "1e300", which is read as a number
                value = float(value)
        if isinstance(value, dict):
            if seen := _beyond(value, most, f"{inside}{key}."):
                return seen
        elif isinstance(value, int | float) and abs(value) > most:
            return f"{inside}{key} = {value:g}" if abs(value) < 1e300 else f"{inside}{key}"
    return ""


@cache
def presets() -> tuple[str, ...]:
    """The names of the presets, sorted."""
    folder = files("simulator.scenarios") / "presets"
    return tuple(
        sorted(
            entry.name.removesuffix(".toml")
            for entry in folder.iterdir()
            if entry.name.endswith(".toml")
        )
    )


def preset_of(name: str) -> str | None:
    """The preset of a name in any spelling, as the catalog compares names."""
    return {plain_name(preset): preset for preset in presets()}.get(plain_name(name))


def preset_text(name: str) -> str:
    """The text of a preset."""
    return (files("simulator.scenarios") / "presets" / f"{name}.toml").read_text()


def starting_text(preset: str | None = None) -> str:
    """The text of a new scenario file: the commented template, or a preset."""
    if preset is None:
        return (files("simulator.scenarios") / "template.toml").read_text()
    known = preset_of(preset)
    if known is None:
        raise InputError("expected a preset", preset, nearest(preset, presets()))
    return preset_text(known)


def _anchor(table: dict[str, Any], folder: Path) -> None:
    """Files named in a scenario file lie relative to it."""
    for section, key in NAMED_FILES:
        there = table.get(section)
        if isinstance(there, dict) and is_named_file(key, there.get(key)):
            there[key] = str(folder / str(there[key]))
