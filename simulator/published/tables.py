"""Tables that a user hands in: rows of cells by column name, blank where nothing was published."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from energy.errors import InputError, reason


class Cells:
    """Cells of one row by name; blank, unknown and missing ones are None."""

    def __init__(self, row: dict[str, Any]) -> None:
        self._row = row

    def text(self, name: str) -> str:
        """The words of a cell, empty where it is blank."""
        return (self._row.get(name) or "").strip()

    def number(self, name: str) -> float | None:
        """The number of a cell; None where it is blank.

        Raises:
            InputError: it is not a number of zero or more.
        """
        text = self.text(name)
        if not text or text.lower() in ("unknown", "none", "nan"):
            return None
        try:
            value = float(text)
        except ValueError as error:
            raise InputError(f"expected a number for {name}", text) from error
        if not 0 <= value < float("inf"):
            raise InputError(f"expected {name} of zero or more", text)
        return value

    def count(self, name: str, default: float | None = None) -> float:
        """The number of a cell that must be filled, above zero.

        Raises:
            InputError: it is blank or zero, and there is no default.
        """
        value = self.number(name)
        found = default if value is None else value
        if not found:
            raise InputError(f"expected {name}", "blank", "fill the cell")
        return found


def read_table(path: Path, what: str, needed: tuple[str, ...], like: str) -> list[dict[str, Any]]:
    """The rows of a CSV file, as texts by column.

    Args:
        path: of the file.
        what: its rows are, in words.
        needed: columns that it must have.
        like: a file of the package with all columns.

    Raises:
        InputError: no such file, not a table, without rows or without a needed column.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows = [dict(row) for row in reader]
            columns = reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"expected a table of {what} at {path}", reason(error)) from error
    absent = [name for name in needed if name not in columns]
    if absent or not rows:
        raise InputError(
            f"expected columns and rows of {what} in {path}",
            f"no {', '.join(absent) or 'rows'}",
            f"columns as in simulator/published/{like}",
        )
    return rows
