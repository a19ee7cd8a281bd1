"""`energy verify`: checks the chain of a ledger, its gaps, its readings, and its record's sum."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from energy import units
from energy.calibration import apply as calibration
from energy.ledger import accounting, contradictions
from energy.ledger import reader as ledger
from energy.ledger.joules import device_entries, domains_of
from energy.ledger.lines import OnBytes, links, require_ledger
from energy.ledger.notes import doubts
from energy.ledger.segment import Segment
from energy.quantity import Quantity
from energy.record import RunRecord, totals

GAP_S, GAP_INTERVALS = 1.0, 2.5
"""Seconds, and intervals, without a sample that count as a gap: both must have passed."""

TOLERANCE = 1e-9
"""Relative difference between the record's joules and the ledger's that counts as equal."""


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        check: chain, order, gaps, unread, coverage, doubts or sum.
        passed: whether all is well.
        message: what was seen.
    """

    check: str
    passed: bool
    message: str

    def as_dict(self) -> dict[str, Any]:
        """The fields, for JSON."""
        return asdict(self)


PASSES = 2
"""How often `verify` reads a ledger."""


def verify(folder: Path, on_bytes: OnBytes | None = None) -> list[Finding]:
    """Check a ledger, and the record beside it if there is one.

    Args:
        folder: of the run, or its ledger.
        on_bytes: called now and then with the number of bytes that were read since the last call.

    Raises:
        InputError: there is no ledger.
    """
    path = require_ledger(folder)
    reader = ledger.Reader(path, on_bytes=on_bytes)
    segments = reader.segments()
    findings = [
        _chain(path, on_bytes),
        _order(segments),
        _gaps(segments),
        _unread(segments),
        _coverage(segments),
        _doubts(segments),
    ]
    record = path.parent / "record.json"
    if record.is_file():
        findings.append(_sum(path, reader, RunRecord.load(record)))
    return findings


def _chain(path: Path, on_bytes: OnBytes | None) -> Finding:
    valid = list(links(path, on_bytes))
    if not valid:
        return Finding("chain", False, "no complete row: the ledger is empty or cut off")
    if all(valid):
        return Finding("chain", True, f"{len(valid):,} rows, each sealed to the one before it")
    first = valid.index(False) + 1
    return Finding("chain", False, f"row {first} does not follow from the one before it")


def _order(segments: list[Segment]) -> Finding:
    backward = sum(segment.late_samples for segment in segments)
    if backward:
        return Finding("order", False, f"samples older than the one before them: {backward}")
    return Finding("order", True, f"segments: {len(segments)}; clocks run forward")


def _gaps(segments: list[Segment]) -> Finding:
    gaps: list[float] = []
    sums: set[str] = set()
    powers: set[str] = set()
    for segment in segments:
        limit_s = max(GAP_S, GAP_INTERVALS * segment.interval_s)
        pairs = pairwise(segment.times)
        own = [later - earlier for earlier, later in pairs if later - earlier > limit_s]
        gaps += own
        for name, curve in segment.curves.items() if own else ():
            if curve.times:
                (sums if math.isinf(curve.hold_s) else powers).add(name)
    if not gaps:
        return Finding("gaps", True, "no gap")
    effects = []
    if sums:
        effects.append(f"counters are cumulative, so their joules count ({_list(sums)})")
    if powers:
        effects.append(f"readings of power do not reach across them ({_list(powers)})")
    seen = f"gaps: {len(gaps)}, the longest {max(gaps):.1f} s"
    return Finding("gaps", False, "; ".join([seen, *effects]))


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


def _coverage(segments: list[Segment]) -> Finding:
    """Whether readings reach over the whole run, for every domain that could be read at all."""
    spans = [segment.span for segment in segments]
    stretches = [
        f"{entry.device} {units.duration(entry.seconds)} ({entry.why})"
        for name, domain in domains_of(segments).items()
        if not domain["reason"]
        for entry in device_entries(domain, [span for span in spans if name in span[0].curves])
        if entry.seconds
    ]
    if not stretches:
        return Finding("coverage", True, "readings reach over the whole run")
    return Finding("coverage", False, f"nobody read {'; '.join(stretches)}")


def _doubts(segments: list[Segment]) -> Finding:
    """Whether all readings can be true."""
    refused = contradictions.refused([segment.span for segment in segments])
    seen = [text for segment in segments for text in doubts(segment)]
    seen += [f"{name}: {reason}" for name, reason in refused.items()]
    if not seen:
        return Finding("doubts", True, "every reading can be true")
    return Finding("doubts", False, "; ".join(seen))


def _list(names: set[str]) -> str:
    return ", ".join(sorted(names))


def _sum(path: Path, reader: ledger.Reader, record: RunRecord) -> Finding:
    """Compare the totals of a record with those of its ledger.

    Joules at the wall are left out: the calibration may have changed since, and the ledger does not
    contain it.
    """
    if not reader.segments():
        return Finding("sum", False, "the record has joules, and the ledger has no sample")
    again = accounting.record(path, name=record.name, labels={}, notes=[], reader=reader)
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
