"""Tables in logs: lines of cells that commas, bars or blanks divide."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence

from energy.errors import InputError
from energy.importers.imported import Skipped

MOST_CELL = 1 << 17
"""Characters of a cell that Python's reader takes."""


def cells_of(text: str, divider: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Number and cells of every line that is not empty; blanks around a cell are no part of it.

    A quote that is never closed ends with its line, so that a damaged line costs no other.
    """
    for number, line in enumerate(text.splitlines(), 1):
        try:
            cells = next(csv.reader([line], delimiter=divider, skipinitialspace=True), [])
        except csv.Error:
            cells = line.split(divider)
        cells = [cell.strip() for cell in cells]
        if any(cells):
            yield number, cells


def rows_of(
    text: str, needed: Sequence[str], skipped: Skipped, what: str, divider: str = ","
) -> Iterator[tuple[int, dict[str, str]]]:
    """Number and cells by column of the lines below the names of the columns.

    A line of the names again, as of a file that was appended to, is passed over. A line with fewer
    or more cells than names is left out.

    Args:
        text: the table.
        needed: columns that it must have.
        skipped: takes the lines that are left out.
        what: the table is, for messages: "CodeCarbon's emissions.csv".
        divider: of cells.

    Raises:
        InputError: a column is not there.
    """
    names: list[str] = []
    for number, cells in cells_of(text, divider):
        if not names or set(needed) <= set(cells):
            names = cells
            if lacking := [name for name in needed if name not in names]:
                raise InputError(
                    f"expected the columns {', '.join(needed)} in {what}",
                    f"none called {lacking[0]} in line {number}",
                )
        elif len(cells) != len(names):
            skipped.add(number, "it has fewer or more cells than the table has columns")
        else:
            yield number, dict(zip(names, cells, strict=True))
