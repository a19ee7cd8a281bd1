"""Joules of stretches of a ledger, domain by domain.

Joules are differences of what was read at the ends of a stretch. So contiguous stretches add up
exactly to the stretch that contains them. What no reading tells is an entry of its own: bridged,
and then modelled, or missing with its seconds and the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from energy import units
from energy.ledger.agreement import widened
from energy.ledger.bands import CERTAIN, Doubt
from energy.ledger.coverage import MISSING
from energy.ledger.lines import Row
from energy.ledger.plausible import limit_of
from energy.ledger.segment import Segment
from energy.ledger.sums import NOT_METERED, Sum
from energy.ledger.wasted import Span
from energy.quantity import Boundary, Origin, Quantity
from energy.record import BRIDGE, EnergyEntry, totals

METER_COVERAGE = 0.95
"""Probability that the band of a domain contains its true energy."""

MOST_STRETCHES = 20
"""Entries of missing stretches of a device and reason; more are one entry."""

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
    own = [span for span in spans if name in span[0].curves]
    metered = sum_of(name, spans)
    missing = [*_missing_stretches(name, own, axis), *(unmetered or [])]
    for segment, start, stop in spans:
        if name not in segment.curves and start < stop:
            missing.append((*_placed(segment, start, stop, axis), stop - start, NOT_METERED))
    metered.elapsed_s += sum(seconds for _, _, seconds, _ in unmetered or [])
    return _entries(domain, fields, metered, _grouped(missing, axis is not None), axis is not None)


def group_entries(domain: Row, metered: Sum) -> list[EnergyEntry]:
    """The same of many stretches together; what is missing is one entry for each reason."""
    missing = [(0.0, 0.0, seconds, why) for why, seconds in metered.missing_s.items()]
    return _entries(domain, _fields(domain, ""), metered, missing, False)


def sum_of(name: str, spans: list[Span]) -> Sum:
    """What is known of a domain in stretches; those of segments without it are missing."""
    metered = Sum()
    by_segment: dict[int, list[Span]] = {}
    for span in spans:
        by_segment.setdefault(id(span[0]), []).append(span)
    for own in by_segment.values():
        starts, stops = (np.array([span[edge] for span in own]) for edge in (1, 2))
        metered.add_segment(own[0][0], name, starts, stops)
    return metered


def _entries(
    domain: Row, fields: Mapping[str, Any], metered: Sum, missing: list[Missing], placed: bool
) -> list[EnergyEntry]:
    """What was read, what was bridged, and what is missing, as entries.

    Args:
        domain: its entry in the header of a ledger.
        fields: of all the entries.
        metered: what is known of it.
        missing: stretches of which nothing is known.
        placed: whether their begins and ends are known in the record.
    """
    if domain["reason"]:
        return [_missing(fields, metered.elapsed_s, domain["reason"], 0.0)]
    elapsed_s = metered.elapsed_s
    covered = min(1.0, metered.read_s / elapsed_s) if elapsed_s > 0 else 0.0
    result = []
    if metered.read_s > 0 or (elapsed_s == 0 and metered.known):
        result.append(entry(domain, metered.read_j, fields, metered.doubt, covered))
    if bridge := _bridge(domain, metered, fields, covered):
        result.append(bridge)
    for begin_s, end_s, seconds, why in missing:
        places = {"begin_s": begin_s, "end_s": end_s} if placed else {}
        result.append(_missing(fields, seconds, why, covered, places or None))
    if not result:
        result.append(_missing(fields, elapsed_s, "no reading succeeded", covered))
    return result


def entry(
    domain: Row,
    joules: float,
    fields: Mapping[str, Any] | None = None,
    doubt: Doubt = CERTAIN,
    covered: float | None = None,
) -> EnergyEntry:
    """The joules that were read of a domain, with their band.

    Args:
        domain: its entry in the header of a ledger.
        joules: the joules.
        fields: of the entry; those of the domain by default.
        doubt: joules by which they may be off, the gain of the meter aside.
        covered: share of the time that readings cover.
    """
    joules = max(0.0, joules)
    low_j, high_j = doubt.band(joules, domain["low"], domain["high"])
    return EnergyEntry(
        value=joules,
        low=low_j,
        high=high_j,
        origin=Origin(domain["origin"]),
        source=domain["source"] or domain["api"],
        coverage=METER_COVERAGE,
        covered=covered,
        **(fields or _fields(domain, "")),
    )


def total(spans: list[Span], refused: Mapping[str, str] | None = None) -> Quantity:
    """Joules of stretches at the innermost boundary that was metered."""
    return innermost(entries(spans, refused=refused), "J")


def powers(spans: list[Span], refused: Mapping[str, str] | None = None) -> list[EnergyEntry]:
    """Mean watts of each device over the time of stretches in which it was read."""
    elapsed_s = sum(stop - start for _, start, stop in spans)
    return [
        entry.scaled(1 / (elapsed_s * entry.covered) if entry.covered else 1.0, unit="W")
        for entry in entries(spans, refused=refused)
        if entry.api != BRIDGE and (entry.value is not None or not entry.covered)
    ]


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
    domain: Row, metered: Sum, fields: Mapping[str, Any], covered: float
) -> EnergyEntry | None:
    """The joules of short stretches without readings, from the powers around them."""
    seconds = metered.bridged_s
    if seconds <= 0:
        return None
    most_j = limit_of(domain) * seconds
    return EnergyEntry(
        value=min(most_j, max(0.0, metered.bridged_j)),
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


def _missing_stretches(name: str, spans: list[Span], axis: Axis | None) -> list[Missing]:
    """The missing stretches of one domain."""
    return [
        (*_placed(segment, hole.begin_s, hole.end_s, axis), hole.end_s - hole.begin_s, hole.why)
        for segment, start, stop in spans
        for hole in segment.coverage(name).holes_between(start, stop)
        if hole.state == MISSING
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
