"""Tables of throughput for tests, from the published one."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from simulator.published.shipped import shipped

Cells = dict[str, str]

DENSE_ROW = {
    "row_id": "a",
    "layers": "32",
    "d_model": "4096",
    "d_ff": "11008",
    "gated_ffn": "1",
    "heads": "32",
    "vocab": "32000",
    "seq_len": "4096",
    "tokens_per_s_per_chip": "3000",
}
"""Cells of a row of throughput but its software, chips and plan."""


def published_cells() -> list[Cells]:
    """The rows of the published table of clusters, as cells by column."""
    with shipped("throughput.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_table(path: Path, rows: Sequence[Cells]) -> Path:
    """Write rows, the first of which names the columns; the path again."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return path
