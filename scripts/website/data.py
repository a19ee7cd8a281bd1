"""The pages of data: every row of the tables of facts, with its source."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks.pages import markdown_table
from scripts.architecture.imports import ROOT
from scripts.website.docstrings import escaped
from scripts.website.places import FACTS, data_place, is_table

Row = dict[str, str]

NARROW = 9
"""Columns that a table may have; of a wider one, each row is an item of a list."""

LONG = 500
"""Rows of a table that a page shows one by one; of a longer one, it counts them by source."""

TOGETHER = ("source", "model_name", "chip", "status")
NAMES = ("id", "run_id", "row_id", "name", "alpha3", "chip")
LAST = ("source", "status", "year", "notes")


def data_pages() -> dict[str, str]:
    """A page for each table, and one that lists them."""
    tables = [
        path.relative_to(ROOT).as_posix()
        for folder in FACTS
        for path in sorted((ROOT / folder).glob("*.csv"))
        if is_table(path.relative_to(ROOT).as_posix())
    ]
    rows = []
    pages = {}
    for path in tables:
        read = _read(path)
        pages[data_place(path)] = _page(path, read)
        name = Path(data_place(path)).name
        rows.append(
            (f"[{Path(path).stem.replace('_', ' ')}]({name})", f"{len(read):,}", f"`{path}`")
        )
    pages["data/index.md"] = "\n\n".join(
        [
            "# Data and their sources",
            "Generated from the files of the packages. `status` says how sure a row is: confirmed "
            "in its source, mixed, unconfirmed or assumed. `unknown` is a field that no source "
            "states; it is never filled with a guess.",
            markdown_table(("table", "rows", "file"), rows),
        ]
    )
    return pages


def _read(path: str) -> list[Row]:
    with (ROOT / path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _page(path: str, rows: Sequence[Row]) -> str:
    """A table as a page."""
    columns = list(rows[0])
    if len(rows) > LONG:
        shown = _counted(rows)
    elif len(columns) <= NARROW:
        cells = [[_cell(row[name]) for name in columns] for row in rows]
        shown = "\n\n" + markdown_table(columns, cells)
    else:
        shown = "\n\n" + "\n".join(_item(columns, row) for row in rows)
    intro = f"The {len(rows):,} rows of `{path}`."
    return f"# {Path(path).stem.replace('_', ' ').capitalize()}\n\n{intro}{shown}\n"


def _item(columns: Sequence[str], row: Row) -> str:
    """A row of many columns: its name, what is known, and the source."""
    name = next((column for column in NAMES if column in columns), columns[0])
    last = [column for column in LAST if column in columns]
    known = [
        f"{column.replace('_', ' ')} {_cell(row[column])}"
        for column in columns
        if column not in (name, *last) and row[column] not in ("", "unknown")
    ]
    source = "; ".join(_cell(row[column]) for column in last if row[column])
    return f"- **{_cell(row[name])}**: {' · '.join(known)}. *Source:* {source}"


def _counted(rows: Sequence[Row]) -> str:
    """Many rows by what they have in common."""
    together = [column for column in TOGETHER if column in rows[0]]
    counts = Counter(tuple(row[column] for column in together) for row in rows)
    cells = [[*map(_cell, key), f"{count:,}"] for key, count in counts.items()]
    said = f" They are counted by {', '.join(together)}; the file has each."
    return f"{said}\n\n{markdown_table([*together, 'rows'], cells)}"


def _cell(value: str) -> str:
    return escaped(value.replace("\n", " ").replace(";", "; ").replace(";  ", "; "))
