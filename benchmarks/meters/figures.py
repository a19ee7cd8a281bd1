"""The figures of the gates: measured rows, kept in a file, shown as one table on the page.

Each gate can be measured again by itself: its rows replace those of the last time, with the date
and the machine of their own, and the page is written again from all of them.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.gate import Gate
from benchmarks.pages import Table, markdown_table, write_between
from energy.errors import InputError
from energy.files import write_text_atomic

FILE = Path(__file__).with_name("figures.json")
MARK = "gates: benchmarks.meters"
HEADS = ("gate", "measured", "of", "limit", "met", "by `python -m benchmarks.meters`")

MB = 1e6


def number(value: float, unit: str) -> str:
    """A figure with its unit: 0.975 as a share is 97.5 %, 5.8e7 bytes are 58 MB."""
    if unit == "share":
        return f"{100 * value:.3g} %"
    if unit == "MB":
        return f"{value / MB:.3g} MB"
    return f"{value:.3g} {unit}".strip()


@dataclass(frozen=True)
class Figure:
    """One row of the table.

    Attributes:
        gate: the figure and its limit.
        unit: share, MB (of a value in bytes), s, or nothing for a number or a ratio.
    """

    gate: Gate
    unit: str = ""

    def cells(self, name: str) -> tuple[str, ...]:
        """The row of the table.

        Args:
            name: of the gate on the command line.
        """
        return (
            self.gate.name,
            number(self.gate.value, self.unit),
            "" if self.gate.rows is None else str(self.gate.rows),
            self.gate.target(lambda limit: number(limit, self.unit)),
            self.gate.verdict,
            f"`{name}`",
        )

    def as_json(self) -> dict[str, Any]:
        """The row for the file and for `--json`."""
        return self.gate.as_json() | {"unit": self.unit}


@dataclass(frozen=True)
class Measured:
    """The rows of one gate, with when and where they were measured.

    Attributes:
        figures: the rows.
        date: day and time, UTC.
        machine: processor, cores and load.
        note: what is not in the rows, such as the other checkout.
    """

    figures: Sequence[Figure]
    date: str
    machine: str
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """The object for the file."""
        rows = [figure.as_json() for figure in self.figures]
        return {"date": self.date, "machine": self.machine, "note": self.note, "rows": rows}


def now(figures: Sequence[Figure], note: str = "") -> Measured:
    """Rows that were measured just now, on this machine."""
    cores = os.cpu_count()
    load = f"load {os.getloadavg()[0]:.1f}"
    machine = f"{platform.machine()}, {cores} cores, Python {platform.python_version()}, {load}"
    return Measured(figures, time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), machine, note)


def load(path: Path = FILE) -> dict[str, Measured]:
    """The rows of the last measurement of each gate, by its name.

    Raises:
        InputError: the file is not one of figures.
    """
    if not path.exists():
        return {}
    try:
        return {name: _measured(entry) for name, entry in json.loads(path.read_bytes()).items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError("expected the figures of the gates", f"{path}: {error}") from error


def _measured(entry: Mapping[str, Any]) -> Measured:
    rows = []
    for row in entry["rows"]:
        names = ("name", "value", "limit", "at_least", "rows")
        rows.append(Figure(Gate(**{name: row[name] for name in names}), row["unit"]))
    return Measured(rows, entry["date"], entry["machine"], entry["note"])


def save(measured: Mapping[str, Measured], path: Path = FILE) -> None:
    """Write the rows of all gates."""
    entries = {name: rows.as_json() for name, rows in measured.items()}
    write_text_atomic(path, json.dumps(entries, indent=1) + "\n")


def table(measured: Mapping[str, Measured]) -> Table:
    """All rows as a table."""
    rows = [figure.cells(name) for name, own in measured.items() for figure in own.figures]
    return HEADS, rows


def write_page(measured: Mapping[str, Measured], page: Path) -> None:
    """Write the table into a page, with the date and the machine of each gate."""
    lines = []
    for name, own in measured.items():
        note = f"; {own.note}" if own.note else ""
        lines.append(f"- `{name}`: {own.date}, {own.machine}{note}")
    write_between(page, MARK, markdown_table(*table(measured)) + "\n\n" + "\n".join(lines))
