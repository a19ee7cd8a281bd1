"""A scenario from a few choices, as the menus and sliders of a page make them, and as a link.

A link says what was chosen otherwise than at first: `?model=mixtral-8x7b&chips=512&tokens=2T`. A
model of an own configuration travels in it as the fields of its shape, so that whoever opens the
link sees the same figures without the file.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

from energy.configurations import read as configurations
from energy.errors import InputError, nearest
from energy.facts import catalog, grid
from energy.facts.prices import price
from energy.shape import Shape
from energy.units import count, parsed_count
from simulator.scenarios.request import of_model
from simulator.scenarios.scenario import Scenario, with_overrides
from simulator.scenarios.writer import text

FILE = "what-if.toml"
"""The file that an exported scenario is saved as."""

UNKNOWN = "unknown"
"""The place of a run that may be anywhere."""

MOST_WORD, MOST_SHAPE = 200, 20_000
"""Characters of a choice and of a shape in a link."""


@dataclass(frozen=True, kw_only=True)
class WhatIf:
    """What was chosen: GLaM 64B/64E as it was trained, where nothing was.

    Attributes:
        model: of the catalog (`simulator models`), or what an own one is called.
        shape: of an own model, the fields of `energy.shape.Shape` as JSON; else empty.
        experts: routed experts of a mixture layer; the model's own without them.
        chip: of the catalog (`simulator chips`).
        chips: how many.
        place: a grid zone or a data center (`simulator regions`), or `UNKNOWN`.
        tokens: of the run.
        batch: tokens of an optimizer step.
        pue: facility energy over IT energy; that of the place without it.
        price: dollars an hour of a chip, or a row of `simulator prices`; none if empty.
        measured: a rate of this very run, such as 4,150 tokens/s; none if empty.
    """

    model: str = "glam-64b-64e"
    shape: str = ""
    experts: int | None = None
    chip: str = "tpu-v4"
    chips: int = 1024
    place: str = "google-glam"
    tokens: float = 600e9
    batch: float = 1e6
    pue: float | None = None
    price: str = ""
    measured: str = ""

    @classmethod
    def of(cls, words: Mapping[str, str]) -> Self:
        """What a link says.

        Args:
            words: the parameters of its query, by name.

        Raises:
            InputError: a name is unknown, or a value is not of its kind.
        """
        known = {field.name: field.type for field in fields(cls)}
        values: dict[str, Any] = {}
        for name, word in words.items():
            if name not in known:
                raise InputError("expected a known choice in the link", name, nearest(name, known))
            most = MOST_SHAPE if name == "shape" else MOST_WORD
            if len(word) > most:
                raise InputError(
                    f"expected {name} of at most {most:,} characters", f"{len(word):,}"
                )
            values[name] = _value(name, word, str(known[name]))
        return cls(**values)

    def words(self) -> dict[str, str]:
        """The parameters of a link: what differs from the first choices."""
        first = type(self)()
        changed = {
            field.name: value
            for field in fields(self)
            if (value := getattr(self, field.name)) != getattr(first, field.name)
        }
        return {name: _word(name, value) for name, value in changed.items()}

    def link(self) -> str:
        """The query of a link, with its question mark; empty for the first choices."""
        words = self.words()
        return f"?{urlencode(words)}" if words else ""

    @cached_property
    def own_shape(self) -> Shape:
        """Of the model with its own number of experts.

        Raises:
            InputError: there is no such model, or the shape contradicts itself.
        """
        if not self.shape:
            return catalog.model(_name("model", self.model)).shape
        try:
            values = json.loads(self.shape)
        except (ValueError, RecursionError) as error:
            raise InputError("expected the shape of a model as JSON", str(error)) from error
        if not isinstance(values, dict):
            raise InputError("expected the shape of a model as a JSON object", self.shape[:40])
        return Shape.from_dict(values)

    def scenario(self) -> Scenario:
        """The run that was chosen.

        Raises:
            InputError: a name is unknown, or a value is not valid.
            MissingDataError: nothing is known of the place.
        """
        values: dict[str, Any] = {
            "run.tokens": self.tokens,
            "run.batch_tokens": self.batch,
            "hardware.chip": catalog.chip(_name("chip", self.chip)).id,
            "hardware.count": self.chips,
        } | self._site()
        if self.experts is not None and self.experts != self.own_shape.n_experts:
            values["model.shape.n_experts"] = self.experts
        if not self.shape:
            return of_model(catalog.model(_name("model", self.model)).name, values)
        model = {"shape": _said(self.own_shape)}
        table = {"name": self.model, "model": model, "run": {}, "hardware": {}}
        return with_overrides(table, values, f"the run of {self.model}")

    def toml(self) -> str:
        """The scenario as a file that `simulator predict` reads, and how to have it do so."""
        return f"# {self.command()}\n{text(self.scenario())}"

    def command(self) -> str:
        """The command that predicts the exported scenario."""
        measured = ["--measured", self.measured] if self.measured else []
        return shlex.join(["simulator", "predict", FILE, *measured])

    def with_configuration(self, path: Path) -> Self:
        """The same run with the model of a configuration (config.json).

        Raises:
            InputError: it cannot be read, or a field of it is not known.
        """
        shape = configurations.read(path).shape
        name = configurations.model_name(str(path))
        return replace(self, model=name, shape=json.dumps(_said(shape)), experts=None)

    def _site(self) -> dict[str, Any]:
        """What is said of the place and its prices."""
        values: dict[str, Any] = {}
        if self.place != UNKNOWN:
            place = _name("place", self.place)
            is_center = place in {row.id for row in grid.regions()}
            values["site.region" if is_center else "site.zone"] = place
        if self.pue is not None:
            values["site.pue"] = self.pue
        if self.price:
            values |= _price(self.price)
        return values


def _said(shape: Shape) -> dict[str, Any]:
    """The fields of a shape that are not as they are without being said."""
    usual = {field.name: field.default for field in fields(Shape)}
    said = {name: value for name, value in shape.as_dict().items() if value != usual[name]}
    if not said.get("others"):
        said.pop("others", None)
    return said


def _price(word: str) -> dict[str, Any]:
    """Dollars an hour of a chip, or a row of the prices, by the key of what it is the price of."""
    try:
        return {"site.chip_price": float(word)}
    except ValueError:
        row = price(_name("price", word))
        return {f"site.{'electricity' if row.chip is None else 'chip'}_price": row.id}


def _name(kind: str, word: str) -> str:
    """A name of the catalog: a link does not have files read.

    Raises:
        InputError: it is the name of a file.
    """
    if any(sign in word for sign in ("/", "\\", ".toml", ".json")):
        raise InputError(
            f"expected a {kind} of the catalog", word, "files are for simulator predict"
        )
    return word


def _value(name: str, word: str, kind: str) -> Any:
    """A choice from its word in a link.

    Raises:
        InputError: it is no number where one is expected.
    """
    if "int" not in kind and "float" not in kind:
        return word
    try:
        number = parsed_count(word)
    except ValueError:
        raise InputError(f"expected {name} as a number", word, "such as 15T, 300B or 512") from None
    if "int" not in kind:
        return number
    if number % 1:  # of an infinite one, too
        raise InputError(f"expected {name} as a whole number", word)
    return int(number)


def _word(name: str, value: Any) -> str:
    """The word of a choice in a link, which gives the same number again."""
    if isinstance(value, float):
        short = count(value)
        return short if parsed_count(short) == value else repr(value)
    return str(value)
