"""The catalog of chips and models: table rows, each with source, year and status.

The rows are in `energy/facts/data/*.csv`; this module reads and checks them, and looks them up by
name or alias. A cell that was never published says `unknown` and is None here. An unknown name is
an error that lists the nearest names, never a guess.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from energy.errors import InputError, nearest
from energy.facts.cells import cell as cell
from energy.facts.chip_rows import Chip as Chip
from energy.facts.model_rows import Model, configured, sized, twin_of
from energy.facts.own_chip import read

STATUSES = ("confirmed", "mixed", "unconfirmed", "assumed")
"""How reliable a row is.

confirmed: read at the source. mixed: some cells, named in the row, are from memory. unconfirmed:
the whole row is from memory. assumed: chosen by this project.
"""

Row = TypeVar("Row")


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
    return find("model", name, models(), lambda row: (row.name,), listing)


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
    released = tuple(rows("released_models.csv", configured))
    twins = (twin_of(row) for row in released if row.shape.n_moe_layers)
    return (*rows("models.csv", sized), *released, *twins)


def rows(file: str, read: Callable[[dict[str, str]], Row]) -> Iterable[Row]:
    """Read and check a table of facts.

    Args:
        file: name of a file in `energy/facts/data`.
        read: makes an object of the cells of a row, by column.

    Raises:
        InputError: a row has an empty cell, no source, no valid status or a cell of a wrong type.
    """
    table = files("energy.facts.data").joinpath(file).read_text(encoding="utf-8")
    for line, row in enumerate(csv.DictReader(table.splitlines()), start=2):
        _require_complete(row, file, line)
        try:
            yield read(row)
        except (ValueError, KeyError) as error:
            raise InputError(f"expected a valid row in {file}", f"line {line}: {error}") from error


def _require_complete(row: dict[str, str], file: str, line: int) -> None:
    empty = [name for name, text in row.items() if name and not (text or "").strip()]
    # The csv module puts the cells beyond the last column under the name None.
    if empty or None in row:
        raise InputError(
            f"expected every cell of {file} to be filled",
            f"line {line}: {', '.join(empty) or 'too many cells'}",
            "write unknown where nothing is published",
        )
    if row["status"] not in STATUSES or row["source"] == "unknown":
        raise InputError(
            f"expected a source and a status ({', '.join(STATUSES)}) in {file}", f"line {line}"
        )


def find(
    what: str,
    name: str,
    rows: Sequence[Row],
    names: Callable[[Row], tuple[str, ...]],
    listing: str = "",
) -> Row:
    """Look a row up by any of its names.

    Args:
        what: kind of the rows, for the error message.
        name: the name to look up; case and separators do not matter.
        rows: all rows.
        names: the names of a row, the main one first.
        listing: command that lists all rows, for the error message.

    Raises:
        InputError: no row has that name; the message suggests the nearest names.
    """
    if not isinstance(name, str):
        raise InputError(f"expected the name of a {what}", f"{name!r}, a {type(name).__name__}")
    by_name = _by_name(rows, names)
    row = by_name.get(plain_name(name))
    if row is not None:
        return row
    canonical = {alias: names(row)[0] for alias, row in by_name.items()}
    everything = f"list them with: {listing}" if listing else ""
    fix = nearest(plain_name(name), (), everything, aliases=canonical)
    raise InputError(f"expected a {what} of the catalog", name, fix)


_INDEXES: dict[int, tuple[Sequence[Any], dict[str, Any]]] = {}


def _by_name(rows: Sequence[Row], names: Callable[[Row], tuple[str, ...]]) -> dict[str, Row]:
    """Rows by each of their names; made once for each table that stays in memory."""
    table, index = _INDEXES.get(id(rows), (None, {}))
    if table is not rows:
        index = {plain_name(alias): row for row in rows for alias in names(row)}
        _INDEXES[id(rows)] = rows, index
    return index


def plain_name(name: str) -> str:
    """A name in lower case without separators, as names are compared."""
    return "".join(letter for letter in name.lower() if letter.isalnum() or letter == ".")
