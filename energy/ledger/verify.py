"""`energy verify`: does a ledger hold together? Hash chain, gaps, order, and its record's sum."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from energy.calibration import apply as calibrated
from energy.ledger import accounting
from energy.ledger import reader as ledger
from energy.ledger.segment import Segment
from energy.quantity import Boundary
from energy.record import RunRecord, totals

GAP = 2.5
"""Intervals without a sample that count as a gap."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: chain, order, gaps, unread or sum.
        passed: whether it is as it should be.
        message: what was seen.
    """

    check: str
    passed: bool
    message: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"check": self.check, "passed": self.passed, "message": self.message}


def verify(path: Path) -> list[Finding]:
    """Look a ledger over, and the record beside it if there is one."""
    sealed = [valid for _, valid in ledger.rows(path)]
    broken = [number for number, valid in enumerate(sealed, start=1) if not valid]
    segments = ledger.segments(path)
    found = [
        Finding(
            "chain",
            not broken,
            f"{len(sealed):,} rows, each sealed to the one before it"
            if not broken
            else f"row {broken[0]} does not follow from the one before it",
        ),
        _order(segments),
        _gaps(segments),
        _unread(segments),
    ]
    place = path.parent / "record.json"
    if place.is_file() and segments:
        found.append(_sum(path, RunRecord.load(place)))
    return found


def _order(segments: list[Segment]) -> Finding:
    backward = sum(
        later < earlier for segment in segments for earlier, later in pairwise(segment.times)
    )
    words = (
        f"{len(segments)} segments, clocks run forward"
        if not backward
        else (f"{backward} samples are older than the one before them")
    )
    return Finding("order", not backward, words)


def _gaps(segments: list[Segment]) -> Finding:
    gaps = []
    for segment in segments:
        limit = GAP * segment.header.get("interval_s", 1.0)
        pairs = pairwise(segment.times)
        gaps += [later - earlier for earlier, later in pairs if later - earlier > limit]
    words = (
        "no gap"
        if not gaps
        else (
            f"{len(gaps)} gaps, the longest {max(gaps):.1f} s; counters are cumulative, so their "
            "joules are in the totals"
        )
    )
    return Finding("gaps", not gaps, words)


def _unread(segments: list[Segment]) -> Finding:
    unread: dict[str, int] = {}
    for segment in segments:
        for domain, curve in segment.curves.items():
            if curve.unread:
                unread[domain] = unread.get(domain, 0) + curve.unread
    words = (
        "every reading succeeded"
        if not unread
        else ", ".join(f"{domain}: {count} readings failed" for domain, count in unread.items())
    )
    return Finding("unread", not unread, words)


def _sum(path: Path, record: RunRecord) -> Finding:
    again = accounting.record(path, name=record.name, labels={}, notes=[])
    # A calibration may be new since; what it says is not in the ledger.
    told, found = (
        totals([entry for entry in one.energy if entry.api != calibrated.API])
        for one in (record, again)
    )
    same = all(
        (told[at].value or 0.0) - 1e-9 * abs(found[at].value or 0.0)
        <= (found[at].value or 0.0)
        <= (told[at].value or 0.0) * (1 + 1e-9)
        for at in Boundary
        if at in told and at in found
    ) and set(told) == set(found)
    return Finding(
        "sum",
        same,
        "the record's joules are the ledger's"
        if same
        else "the record's joules are not the ledger's",
    )
