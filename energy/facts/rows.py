"""Rows of the tables of facts in `energy/facts/data`: read, checked, and looked up by name."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files
from typing import Any, TypeVar

from energy.errors import InputError, nearest

STATUSES = ("confirmed", "mixed", "unconfirmed", "assumed")
"""How reliable a row is.

confirmed: read at the source. mixed: some cells, named in the row, are from memory. unconfirmed:
the whole row is from memory. assumed: chosen by this project.
"""

Row = TypeVar("Row")


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
    by_name = indexed(rows, names)
    row = by_name.get(plain_name(name))
    if row is not None:
        return row
    canonical = {alias: names(row)[0] for alias, row in by_name.items()}
    everything = f"list them with: {listing}" if listing else ""
    fix = nearest(plain_name(name), (), everything, aliases=canonical)
    raise InputError(f"expected a {what} of the catalog", name, fix)


_INDEXES: dict[int, tuple[Sequence[Any], dict[str, Any]]] = {}


def indexed(rows: Sequence[Row], names: Callable[[Row], tuple[str, ...]]) -> dict[str, Row]:
    """Rows by each of their names; made once for each table that stays in memory."""
    table, index = _INDEXES.get(id(rows), (None, {}))
    if table is not rows:
        index = {plain_name(alias): row for row in rows for alias in names(row)}
        _INDEXES[id(rows)] = rows, index
    return index


def plain_name(name: str) -> str:
    """A name in lower case without separators, as names are compared."""
    return "".join(letter for letter in name.lower() if letter.isalnum() or letter == ".")
