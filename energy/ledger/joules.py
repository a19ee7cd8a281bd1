"""Joules of stretches of a ledger, domain by domain.

Joules are differences of what was read at the ends of a stretch. So contiguous stretches add up
exactly to the stretch that contains them. What no reading tells is an entry of its own: bridged,
and then modelled, or missing with its seconds and the reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from energy import units
from energy.ledger.agreement import widened
from energy.ledger.coverage import Share
from energy.ledger.lines import Row
from energy.ledger.plausible import limit_of
from energy.ledger.segment import Segment
from energy.ledger.wasted import Span
from energy.quantity import Boundary, Origin, Quantity
from energy.record import BRIDGE, EnergyEntry, totals

METER_COVERAGE = 0.95
"""Probability that the band of a domain contains its true energy."""

MOST_STRETCHES = 20
"""Entries of missing stretches of a device and reason; more are one entry."""

NOT_METERED = "not among the meters of that time"

Axis = Callable[[Segment, float], float]
"""Elapsed seconds of the record at a moment of a segment."""

Missing = tuple[float, float, float, str]
"""A missing stretch: begin and end in elapsed seconds of the record, seconds, and the reason."""


def entries(
    spans: list[Span],
    *,
    axis: Axis | None = None,
    refused: Mapping[str, str] | None = None,
) -> list[EnergyEntry]:
    """The joules of each domain over stretches of the ledger.

    Args:
        spans: the stretches.
        axis: where they lie in the record; with it, each missing stretch is an entry of its own,
            else one entry tells all that are missing for one reason.
        refused: domains whose readings contradict others, with the reason.
    """
    domains = domains_of(segment for segment, _, _ in spans)
    return [
        entry
        for name, domain in domains.items()
        for entry in device_entries(
            {**domain, "reason": domain.get("reason") or (refused or {}).get(name, "")},
            spans,
            axis=axis,
        )
    ]


def domains_of(segments: Iterable[Segment]) -> dict[str, Row]:
    """The domains of segments by id, as the first header describes them that could read them.

    Where a counter and the power beside it contradict each other, the band holds both.
    """
    domains: dict[str, Row] = {}
    ratios: dict[str, list[float]] = {}
    for segment in segments:
        for domain in segment.header["domains"]:
            known = domains.get(domain["id"])
            if known is None or (known.get("reason") and not domain.get("reason")):
                domains[domain["id"]] = domain
        for name, check in segment.checks.items():
            ratio = check.disagreement(segment.coverage(name))
            if ratio is not None:
                ratios.setdefault(name, []).append(ratio)
    return domains | {name: widened(domains[name], own) for name, own in ratios.items()}


def device_entries(
    domain: Row,
    spans: list[Span],
    *,
    prefix: str = "",
    axis: Axis | None = None,
    unmetered: list[Missing] | None = None,
) -> list[EnergyEntry]:
    """What was read of one domain, what was bridged, and what is missing.

    Args:
        domain: its entry in the header of a ledger.
        spans: stretches of the ledger.
        prefix: put before the names of devices, to distinguish nodes.
        axis: as in `entries`.
        unmetered: further stretches of the record in which nothing could read it.
    """
    name, fields = domain["id"], _fields(domain, prefix)
    elapsed_s = sum(stop - start for _, start, stop in spans)
    elapsed_s += sum(seconds for _, _, seconds, _ in unmetered or [])
    if domain["reason"]:
        return [_missing(fields, elapsed_s, domain["reason"], 0.0)]
    own = [span for span in spans if name in span[0].curves]
    shares = [segment.coverage(name).between(start, stop) for segment, start, stop in own]
    missing = [*_missing_stretches(own, shares, axis), *(unmetered or [])]
    for segment, start, stop in spans:
        if name not in segment.curves and start < stop:
            missing.append((*_placed(segment, start, stop, axis), stop - start, NOT_METERED))
    read_s = sum(share.read_s for share in shares)
    covered = min(1.0, read_s / elapsed_s) if elapsed_s > 0 else 0.0
    result = []
    known = own and elapsed_s == 0 and own[0][0].between(name, own[0][1], own[0][2]) is not None
    if read_s > 0 or known:
        joules = sum(share.read_j for share in shares)
        result.append(entry(domain, joules, fields, _edge_error_j(name, own), covered))
    if bridge := _bridge(domain, shares, fields, covered):
        result.append(bridge)
    for begin_s, end_s, seconds, why in _grouped(missing, axis is not None):
        placed = {"begin_s": begin_s, "end_s": end_s} if axis else {}
        result.append(_missing(fields, seconds, why, covered, placed))
    if not result:
        result.append(_missing(fields, elapsed_s, "no reading succeeded", covered))
    return result


def entry(
    domain: Row,
    joules: float,
    fields: Mapping[str, Any] | None = None,
    edge_error_j: float = 0.0,
    covered: float | None = None,
) -> EnergyEntry:
    """The joules that were read of a domain, with their band.

    Args:
        domain: its entry in the header of a ledger.
        joules: the joules.
        fields: of the entry; those of the domain by default.
        edge_error_j: joules by which the edges of all stretches together may be off.
        covered: share of the time that readings cover.
    """
    joules = max(0.0, joules)
    return EnergyEntry(
        value=joules,
        low=max(0.0, joules * domain["low"] - edge_error_j),
        high=joules * domain["high"] + edge_error_j,
        origin=Origin(domain["origin"]),
        source=domain["source"] or domain["api"],
        coverage=METER_COVERAGE,
        covered=covered,
        **(fields or _fields(domain, "")),
    )


def total(spans: list[Span], refused: Mapping[str, str] | None = None) -> Quantity:
    """Joules of stretches at the innermost boundary that was metered."""
    return innermost(entries(spans, refused=refused), "J")


def mean_power(spans: list[Span], refused: Mapping[str, str] | None = None) -> Quantity:
    """Mean watts over the time of stretches in which each device was read."""
    elapsed_s = sum(stop - start for _, start, stop in spans)
    powers = [
        entry.scaled(1 / (elapsed_s * entry.covered) if entry.covered else 1.0, unit="W")
        for entry in entries(spans, refused=refused)
        if entry.api != BRIDGE and (entry.value is not None or not entry.covered)
    ]
    return innermost(powers, "W")


def innermost(parts: list[EnergyEntry], unit: str) -> Quantity:
    """The sum at the innermost boundary."""
    by_boundary = totals(parts)
    if not by_boundary:
        return Quantity.absent(unit, "no meter")
    return by_boundary[min(by_boundary, key=list(Boundary).index)]


def _fields(domain: Row, prefix: str) -> dict[str, Any]:
    """What all entries of a domain have in common."""
    return {
        "device": prefix + domain["id"],
        "boundary": Boundary(domain["boundary"]),
        "within": prefix + domain["within"] if domain["within"] else None,
        "api": domain["api"],
    }


def _missing(
    fields: Mapping[str, Any],
    seconds: float,
    why: str,
    covered: float,
    placed: Mapping[str, Any] | None = None,
) -> EnergyEntry:
    """An entry for time without joules."""
    source = why if covered == 0.0 and placed is None else ""
    return EnergyEntry(
        value=None,
        origin=Origin.MISSING,
        source=source or f"{units.duration(seconds)} without readings: {why}",
        covered=covered,
        seconds=seconds,
        why=why,
        **{**fields, **(placed or {})},
    )


def _bridge(
    domain: Row, shares: list[Share], fields: Mapping[str, Any], covered: float
) -> EnergyEntry | None:
    """The joules of short stretches without readings, from the powers around them."""
    seconds = sum(share.bridged_s for share in shares)
    if seconds <= 0:
        return None
    most_j = limit_of(domain) * seconds
    return EnergyEntry(
        value=min(most_j, max(0.0, sum(share.bridged_j for share in shares))),
        low=0.0,
        high=most_j,
        origin=Origin.MODELLED.weaker(Origin(domain["origin"])),
        source="mean of the powers before and after; at most what the device can draw",
        coverage=METER_COVERAGE,
        covered=covered,
        seconds=seconds,
        why=f"bridged: {units.duration(seconds)} without readings",
        **{**fields, "api": BRIDGE},
    )


def _missing_stretches(spans: list[Span], shares: list[Share], axis: Axis | None) -> list[Missing]:
    """The missing stretches of one domain."""
    return [
        (*_placed(span[0], hole.begin_s, hole.end_s, axis), hole.end_s - hole.begin_s, hole.why)
        for span, share in zip(spans, shares, strict=True)
        for hole in share.missing
    ]


def _placed(
    segment: Segment, begin_s: float, end_s: float, axis: Axis | None
) -> tuple[float, float]:
    """A stretch of a segment in elapsed seconds of the record; its own seconds without an axis."""
    return (axis(segment, begin_s), axis(segment, end_s)) if axis else (begin_s, end_s)


def _grouped(missing: list[Missing], apart: bool) -> list[Missing]:
    """The missing stretches in order of time, or if they are many, one for each reason."""
    by_why: dict[str, list[Missing]] = {}
    for stretch in sorted(missing):
        by_why.setdefault(stretch[3], []).append(stretch)
    grouped = []
    for why, stretches in by_why.items():
        if apart and len(stretches) <= MOST_STRETCHES:
            grouped += stretches
            continue
        seconds = sum(seconds for _, _, seconds, _ in stretches)
        grouped.append((stretches[0][0], max(end for _, end, _, _ in stretches), seconds, why))
    return sorted(grouped)


def _edge_error_j(name: str, spans: list[Span]) -> float:
    """Joules by which the edges of stretches may be off; a shared edge cancels out."""
    edges: dict[tuple[str, float], list[Segment]] = {}
    for segment, start, stop in spans:
        for edge in (start, stop):
            edges.setdefault((str(segment.header.get("boot")), edge), []).append(segment)
    return math.hypot(
        *(
            segments[0].coverage(name).error_j(edge)
            for (_, edge), segments in edges.items()
            if len(segments) == 1
        )
    )
