"""A scenario: model x plan x hardware x site, and the run. TOML in, frozen out.

A preset is such a file in `simulator/presets`, named by its stem. Every key is known or refused
with its nearest neighbour, every value is checked before anything is computed, and a number may
be written alone (then it is an assumption of the file's author) or with its band and source:

    pue = 1.10
    pue = { value = 1.10, low = 1.08, high = 1.13, origin = "measured", source = "meter, 2025" }
"""

from __future__ import annotations

import tomllib
from dataclasses import fields, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from energy import catalog
from energy.errors import InputError
from energy.quantity import Boundary
from energy.shape import Shape
from simulator.inputs import (
    Count,
    GramsPerKwh,
    Hours,
    MegawattHours,
    Pue,
    Section,
    Share,
    Tonnes,
    Watts,
    explained,
    nearest,
)

SHAPE_FIELDS = tuple(field.name for field in fields(Shape))


class ModelSection(Section):
    """Which model is trained.

    Attributes:
        preset: a row of the catalog of models (`simulator models`).
        shape: fields of `energy.shape.Shape` that replace those of the preset, or all of them.
    """

    preset: str | None = None
    shape: dict[str, float | int | bool] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _named_or_whole(self) -> Self:
        for key in self.shape:
            if key not in SHAPE_FIELDS:
                raise ValueError(
                    f"expected a field of a shape, {nearest(key, SHAPE_FIELDS)}; got {key}"
                )
        if self.preset is None and not self.shape:
            raise ValueError("expected a preset (see simulator models) or a shape")
        return self

    def resolve(self) -> Shape:
        """The shape of the model."""
        if self.preset is None:
            return Shape.from_dict(self.shape)
        return replace(catalog.model(self.preset).shape, **self.shape)


class RunSection(Section):
    """What is run.

    Attributes:
        tokens: tokens trained on, all epochs.
        steps: instead of tokens, optimiser steps.
        batch_tokens: tokens of one optimiser step, over all chips.
        batch_sequences: instead of batch_tokens, sequences of one step.
        goodput: productive over elapsed time; without it a band is assumed, loudly.
    """

    tokens: float | None = Field(None, gt=0)
    steps: int | None = Field(None, gt=0)
    batch_tokens: float | None = Field(None, gt=0)
    batch_sequences: int | None = Field(None, gt=0)
    goodput: Share | None = None

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if (self.tokens is None) == (self.steps is None):
            raise ValueError("expected either tokens or steps")
        if (self.batch_tokens is None) == (self.batch_sequences is None):
            raise ValueError("expected either batch_tokens or batch_sequences")
        return self

    def sequences(self, seq_len: float) -> float:
        """Sequences in one optimiser step, at least one."""
        if self.batch_sequences is not None:
            return float(self.batch_sequences)
        assert self.batch_tokens is not None
        return max(1.0, self.batch_tokens / seq_len)

    def total_tokens(self, seq_len: float) -> float:
        """Tokens of the whole run."""
        if self.tokens is not None:
            return self.tokens
        assert self.steps is not None
        return self.steps * self.sequences(seq_len) * seq_len


class HardwareSection(Section):
    """What it runs on.

    Attributes:
        chip: a row of the catalog of chips (`simulator chips`).
        machine: instead of chip, a file that `simulator calibrate` wrote.
        count: chips.
    """

    chip: str | None = None
    machine: str | None = None
    count: int = Field(1, ge=1)

    @model_validator(mode="after")
    def _one_device(self) -> Self:
        if (self.chip is None) == (self.machine is None):
            raise ValueError("expected either chip (see simulator chips) or machine")
        return self


class SiteSection(Section):
    """Where it runs.

    Attributes:
        zone: a row of the catalog of grid zones; without it, a band over all zones.
        pue: facility energy over IT energy.
        grid_location: average of the grid, gross.
        grid_market: after clean-energy purchases, net.
    """

    zone: str | None = None
    pue: Pue | None = None
    grid_location: GramsPerKwh | None = None
    grid_market: GramsPerKwh | None = None


class PublishedSection(Section):
    """What was published of this run.

    Attributes:
        source: where.
        elapsed_h: hours of wall clock.
        chip_power_w: mean watts a chip, at `power_boundary`.
        power_boundary: what those watts hold.
        params_active: the P of the 6 P D that the publication counts.
        accounting: whether its CO2 is gross (location) or net (market).
        energy_mwh: the printed total, which our product is held against.
        co2_t: the printed total.
    """

    source: str
    elapsed_h: Hours
    chip_power_w: Watts
    power_boundary: Boundary
    params_active: Count
    accounting: Literal["location", "market"]
    energy_mwh: MegawattHours | None = None
    co2_t: Tonnes | None = None


class Scenario(Section):
    """One question to the simulator, whole and checked.

    `plan` holds fields of `simulator.plan.Plan`.
    """

    name: str = Field(min_length=1)
    description: str = ""
    model: ModelSection
    run: RunSection
    plan: dict[str, Any] = Field(default_factory=dict)
    hardware: HardwareSection
    site: SiteSection = SiteSection()
    published: PublishedSection | None = None

    def labels(self) -> dict[str, str]:
        """The words by which a record of this scenario is grouped and compared."""
        hardware = self.hardware
        found = {"model": self.model.preset or "own shape", "zone": self.site.zone or "not given"}
        if hardware.chip is not None:
            found["chip"] = catalog.chip(hardware.chip).id
        elif hardware.machine is not None:
            found["chip"] = Path(hardware.machine).stem
        return found


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
        table = _parse(_read(path), where)
        table.setdefault("name", path.stem)
        _anchor(table, path.parent)
    elif name in presets():
        where = f"preset {name}"
        table = _parse(preset_text(name), where)
        table.setdefault("name", name)
    else:
        raise InputError("expected a preset or the path of a scenario file", name,
                         nearest(name, presets()))  # fmt: skip
    for key, value in (overrides or {}).items():
        _lay_over(table, key, value)
    return check(table, where)


def check(table: dict[str, Any], where: str) -> Scenario:
    """Turn the tables of a file into a scenario, or say what is wrong with them."""
    try:
        return Scenario.model_validate(table)
    except ValidationError as error:
        raise explained(error, Scenario, where) from error


@cache
def presets() -> tuple[str, ...]:
    """The names of the presets, sorted."""
    folder = files("simulator") / "presets"
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir()
                        if entry.name.endswith(".toml")))  # fmt: skip


def preset_text(name: str) -> str:
    """The text of a preset."""
    return (files("simulator") / "presets" / f"{name}.toml").read_text()


def starting_text(preset: str | None = None) -> str:
    """The text of a new scenario file: the commented template, or a preset."""
    if preset is None:
        return (files("simulator") / "template.toml").read_text()
    if preset not in presets():
        raise InputError("expected a preset", preset, nearest(preset, presets()))
    return preset_text(preset)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise InputError(
            f"expected a scenario file at {path}", (reason or "").lower(),
            "write one with simulator init, or name a preset",
        ) from error  # fmt: skip


def _parse(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(
            f"expected TOML in {where}", str(error).lower(), "mend that line"
        ) from error


def _anchor(table: dict[str, Any], folder: Path) -> None:
    """A machine file named in a scenario file lies relative to it."""
    hardware = table.get("hardware")
    if isinstance(hardware, dict) and isinstance(machine := hardware.get("machine"), str):
        hardware["machine"] = str(folder / machine)


def _lay_over(table: dict[str, Any], key: str, value: Any) -> None:
    """Put a value at a dotted key; None takes the key away."""
    *path, last = key.split(".")
    for step in path:
        table = table.setdefault(step, {})
    if value is None:
        table.pop(last, None)
    else:
        table[last] = value
