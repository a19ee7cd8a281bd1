"""CSV tables, the package's or a user's: rows of cells by column name, blank where unpublished."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from energy import inputs
from energy.errors import InputError

LEAST, MOST = 1e-9, 1e30
"""Between these is every number of a table, from shares to the FLOP of a run."""


class Cells:
    """Cells of one row by column name; blank, unknown and missing ones are None."""

    def __init__(self, row: dict[str, Any]) -> None:
        self._row = row

    def text(self, name: str) -> str:
        """The text of a cell, empty where it is blank."""
        return (self._row.get(name) or "").strip()

    def number(self, name: str) -> float | None:
        """The number of a cell; None where it is blank.

        Raises:
            InputError: it is not a number of zero or more.
        """
        text = self.text(name)
        if not text or text.lower() in ("unknown", "none"):
            return None
        try:
            value = float(text)
        except ValueError as error:
            raise InputError(f"expected a number for {name}", text) from error
        if value != 0 and not LEAST <= value <= MOST:
            raise InputError(f"expected {name} of zero, or from {LEAST:g} to {MOST:g}", text)
        return value

    def required(self, name: str) -> float:
        """The number of a cell that must be above zero.

        Raises:
            InputError: it is blank or zero.
        """
        value = self.number(name)
        if not value:
            raise InputError(f"expected {name}", self.text(name) or "blank", "fill the cell")
        return value


def read_table(
    path: Path, content: str, required: tuple[str, ...], example: str
) -> list[dict[str, str]]:
    """The rows of a CSV file, as texts by column.

    Args:
        path: of the file.
        content: what its rows are, for messages.
        required: columns that it must have; "a or b" is one of them.
        example: file of `simulator/published` that has all columns.

    Raises:
        InputError: there is no such file, or it is not a table, or it has no rows or lacks a
            required column.
    """
    columns, rows = inputs.read_table(path, f"a table of {content}")
    absent = [names for names in required if not set(names.split(" or ")) & set(columns)]
    if absent or not rows:
        raise InputError(
            f"expected columns and rows of {content} in {path}",
            f"no {', '.join(absent) or 'rows'}",
            f"columns as in simulator/published/{example}",
        )
    return rows
