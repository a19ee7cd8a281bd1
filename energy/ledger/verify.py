"""`energy verify`: checks the hash chain of a ledger, its gaps and order, and its record's sum."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from energy.calibration import apply as calibration
from energy.ledger import accounting
from energy.ledger import reader as ledger
from energy.ledger.lines import links
from energy.ledger.segment import Segment
from energy.quantity import Quantity
from energy.record import RunRecord, totals

GAP_INTERVALS = 2.5
"""Intervals without a sample that count as a gap."""

TOLERANCE = 1e-9
"""Relative difference between the record's joules and the ledger's that counts as equal."""


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        check: chain, order, gaps, unread or sum.
        passed: whether all is well.
        message: what was seen.
    """

    check: str
    passed: bool
    message: str

    def as_dict(self) -> dict[str, Any]:
        """The fields, for JSON."""
        return asdict(self)


def verify(path: Path) -> list[Finding]:
    """Check a ledger, and the record beside it if there is one."""
    segments = ledger.segments(path)
    findings = [_chain(path), _order(segments), _gaps(segments), _unread(segments)]
    record = path.parent / "record.json"
    if record.is_file():
        findings.append(_sum(path, segments, RunRecord.load(record)))
    return findings


def _chain(path: Path) -> Finding:
    valid = list(links(path))
    if not valid:
        return Finding("chain", False, "no complete row: the ledger is empty or cut off")
    if all(valid):
        return Finding("chain", True, f"{len(valid):,} rows, each sealed to the one before it")
    first = valid.index(False) + 1
    return Finding("chain", False, f"row {first} does not follow from the one before it")


def _order(segments: list[Segment]) -> Finding:
    backward = sum(
        later < earlier for segment in segments for earlier, later in pairwise(segment.times)
    )
    if backward:
        return Finding("order", False, f"samples older than the one before them: {backward}")
    return Finding("order", True, f"segments: {len(segments)}; clocks run forward")


def _gaps(segments: list[Segment]) -> Finding:
    gaps = []
    for segment in segments:
        limit = GAP_INTERVALS * segment.header.get("interval_s", 1.0)
        pairs = pairwise(segment.times)
        gaps += [later - earlier for earlier, later in pairs if later - earlier > limit]
    if not gaps:
        return Finding("gaps", True, "no gap")
    return Finding(
        "gaps",
        False,
        f"gaps: {len(gaps)}, the longest {max(gaps):.1f} s; counters are cumulative, so their "
        "joules are in the totals",
    )


def _unread(segments: list[Segment]) -> Finding:
    unread: dict[str, int] = {}
    for segment in segments:
        for domain, curve in segment.curves.items():
            if curve.unread:
                unread[domain] = unread.get(domain, 0) + curve.unread
    if not unread:
        return Finding("unread", True, "every reading succeeded")
    failures = ", ".join(f"{domain}: {count} readings failed" for domain, count in unread.items())
    return Finding("unread", False, failures)


def _sum(path: Path, segments: list[Segment], record: RunRecord) -> Finding:
    """Compare the totals of a record with those of its ledger.

    Joules at the wall are left out: the calibration may have changed since, and the ledger does not
    contain it.
    """
    if not segments:
        return Finding("sum", False, "the record has joules, and the ledger has no sample")
    again = accounting.record(path, name=record.name, labels={}, notes=[])
    recorded, expected = (
        totals([entry for entry in run.energy if entry.api != calibration.API])
        for run in (record, again)
    )
    same = recorded.keys() == expected.keys() and all(
        _equal(recorded[boundary], expected[boundary]) for boundary in recorded
    )
    verb = "are" if same else "are not"
    return Finding("sum", same, f"the record's joules {verb} the ledger's")


def _equal(recorded: Quantity, expected: Quantity) -> bool:
    recorded_j, expected_j = recorded.value or 0.0, expected.value or 0.0
    low = recorded_j - TOLERANCE * abs(expected_j)
    return low <= expected_j <= recorded_j * (1 + TOLERANCE)
