"""How many planted slips the rules find, and what they say of the rows as published."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from benchmarks.claims.slips import KINDS, Planted, Row, planted
from energy.claims.check import check
from energy.claims.rows import claim_of_row
from energy.claims.rule import Finding

ROOT = Path(__file__).parents[2]
TABLES = [ROOT / "simulator" / "published" / name for name in ("runs.csv", "runs_2026.csv")]


def rows_of(tables: Iterable[Path]) -> list[Row]:
    """The rows of some tables."""
    return [row for table in tables for row in csv.DictReader(table.read_text().splitlines())]


def findings_of(row: Row) -> list[Finding]:
    """What the rules say of a row."""
    return check(claim_of_row(row, row.get("run_id", "row")))


def is_new(slip: Planted) -> bool:
    """Whether the rules say something of a changed row that they do not say of it as published."""
    before = {(finding.rule, finding.message) for finding in findings_of(slip.before)}
    return any((f.rule, f.message) not in before for f in findings_of(slip.row))


def recall(rows: list[Row], seed: int = 24) -> dict[str, tuple[int, int]]:
    """Slips of each kind that were noticed, and that were planted."""
    counts = dict.fromkeys(KINDS, (0, 0))
    for slip in planted(rows, seed):
        noticed, total = counts[slip.kind]
        counts[slip.kind] = (noticed + is_new(slip), total + 1)
    return counts
