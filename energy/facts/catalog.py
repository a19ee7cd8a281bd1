"""The catalog of chips and models: table rows, each with source, year and status.

The rows are in `energy/facts/data/*.csv`; this module reads and checks them, and looks them up by
name or alias. A cell that was never published says `unknown` and is None here. An unknown name is
an error that lists the nearest names, never a guess.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

from energy.errors import InputError
from energy.facts.cells import cell
from energy.facts.chip_rows import Chip as Chip
from energy.facts.model_rows import Model, configured, sized, twin_of
from energy.facts.own_chip import read
from energy.facts.rows import find, indexed, plain_name, rows

SLICE = re.compile(r"(?:tpu)?[-_ ]?v(2|3|4|5p|5e|6e)-(\d+)")
"""Names of slices of TPU: their number counts cores up to v4 and in v5p, chips in v5e and v6e."""

TWO_CORES = ("2", "3", "4", "5p")


def chip(name: str) -> Chip:
    """A chip by id or alias ("tpu-v4", "H100", "A100-80"), or of a file ("my-chip.toml").

    Case, '-' and '_' do not matter.

    Raises:
        InputError: there is no such chip, the name is of a slice of several, or the file is not
            valid.
    """
    if name.endswith(".toml"):
        return read(Path(name))
    if slice_ := SLICE.fullmatch(name.lower()):
        generation, count = slice_.group(1), int(slice_.group(2))
        chips_of_it = count // 2 if generation in TWO_CORES else count
        cores = f"{count} cores, " if generation in TWO_CORES else ""
        raise InputError(
            "expected the name of a chip",
            f"{name}, a slice of {cores}{chips_of_it} chips",
            f"write tpu-v{generation} for the chip, and {chips_of_it} for how many",
        )
    return find("chip", name, chips(), lambda row: (row.id, *row.aliases), "simulator chips")


def known_chip(name: str) -> Chip | None:
    """A chip as `chip` reads it; None where there is no such chip, or no name."""
    try:
        return chip(name)
    except InputError:
        return None


def model(name: str, listing: str = "simulator models") -> Model:
    """A model by name ("glam-64b-64e").

    Args:
        name: of the model.
        listing: command that lists all models, for the error message.

    Raises:
        InputError: there is no such model.
    """
    # Of a name of either table nothing else is read: a configuration takes a millisecond.
    if isinstance(name, str):
        plain = plain_name(name)
        if plain in (known := indexed(_sized(), _name_of_model)):
            return known[plain]
        if plain in _released_rows():
            return _released(plain)
    return find("model", name, models(), _name_of_model, listing)


def known_model(name: str) -> Model | None:
    """A model as `model` reads its name; None where there is no such model."""
    try:
        return model(name)
    except InputError:
        return None


@cache
def chips() -> tuple[Chip, ...]:
    """All chips, in the order of the file."""
    types = get_type_hints(Chip)

    def chip_of(row: dict[str, str]) -> Chip:
        values: dict[str, Any] = {name: cell(text, types[name]) for name, text in row.items()}
        values["aliases"] = () if row["aliases"] == "none" else tuple(row["aliases"].split(";"))
        return Chip(**values)

    return tuple(rows("chips.csv", chip_of))


@cache
def models() -> tuple[Model, ...]:
    """All models: those of `models.csv`, then of `released_models.csv`, then their dense twins."""
    released = tuple(map(_released, _released_rows()))
    twins = (twin_of(row) for row in released if row.shape.n_moe_layers)
    return (*_sized(), *released, *twins)


def _name_of_model(row: Model) -> tuple[str]:
    return (row.name,)


@cache
def _sized() -> tuple[Model, ...]:
    """The models of `models.csv`."""
    return tuple(rows("models.csv", sized))


@cache
def _released_rows() -> dict[str, dict[str, str]]:
    """The rows of `released_models.csv` by plain name, before their configurations are read."""
    return {plain_name(row["name"]): row for row in rows("released_models.csv", dict)}


@cache
def _released(plain: str) -> Model:
    """The model of such a row."""
    row = _released_rows()[plain]
    try:
        return configured(row)
    except (ValueError, KeyError) as error:
        where = f"{row['name']}: {error}"
        raise InputError("expected a valid row in released_models.csv", where) from error
