"""Joules of stretches of a ledger, domain by domain.

Joules are differences of cumulative counters, interpolated between readings at the ends of a
stretch. So contiguous stretches add up exactly to the stretch that contains them.
"""

from __future__ import annotations

import math
from typing import Any

from energy.ledger.segment import Row
from energy.ledger.wasted import Span
from energy.quantity import Boundary, Origin, Quantity
from energy.record import EnergyEntry, totals

METER_COVERAGE = 0.95
"""Probability that the band of a domain contains its true energy."""


def entries(spans: list[Span], elapsed_s: float | None = None) -> list[EnergyEntry]:
    """The joules of each domain over stretches of the ledger.

    Args:
        spans: the stretches.
        elapsed_s: duration of the record; with it, the share that readings cover is computed.
    """
    domains = {d["id"]: d for segment, _, _ in spans for d in segment.header["domains"]}
    result = []
    for name, domain in domains.items():
        own = [span for span in spans if name in span[0].curves]
        parts = [segment.between(name, start, stop) for segment, start, stop in own]
        covered = covered_share(name, own, elapsed_s) if elapsed_s else None
        result.append(entry(domain, parts, edge_error_j=_edge_error_j(name, own), covered=covered))
    return result


def entry(
    domain: Row,
    parts: list[float | None],
    *,
    prefix: str = "",
    edge_error_j: float = 0.0,
    covered: float | None = None,
) -> EnergyEntry:
    """The joules of a domain from those of its stretches; missing if none could be read.

    Args:
        domain: its entry in the header of a ledger.
        parts: joules of each stretch; None if it could not be read.
        prefix: put before the names of devices, to distinguish nodes.
        edge_error_j: joules by which the edges of all stretches together may be off.
        covered: share of the record's time that readings cover.
    """
    fields: dict[str, Any] = {
        "device": prefix + domain["id"],
        "boundary": Boundary(domain["boundary"]),
        "within": prefix + domain["within"] if domain["within"] else None,
        "api": domain["api"],
        "covered": covered,
    }
    known = [part for part in parts if part is not None]
    if domain["reason"] or not known:
        reason = domain["reason"] or "no reading succeeded"
        return EnergyEntry(value=None, origin=Origin.MISSING, source=reason, **fields)
    joules = max(0.0, sum(known))
    return EnergyEntry(
        value=joules,
        low=max(0.0, joules * domain["low"] - edge_error_j),
        high=joules * domain["high"] + edge_error_j,
        origin=Origin(domain["origin"]),
        source=domain["source"] or domain["api"],
        coverage=METER_COVERAGE,
        **fields,
    )


def total(spans: list[Span]) -> Quantity:
    """Joules of stretches at the innermost boundary that was metered."""
    by_boundary = totals(entries(spans))
    if not by_boundary:
        return Quantity.absent("J", "no meter")
    return by_boundary[min(by_boundary, key=list(Boundary).index)]


def covered_share(name: str, spans: list[Span], elapsed_s: float) -> float:
    """Share of the elapsed time, 0 to 1, between the first and last reading of a domain.

    A stretch counts as far as the readings of its own segment reach: a board that is lost at half
    time covers 0.5. A gap between two readings of a counter is covered, because its joules are
    known.
    """
    covered_s = 0.0
    for segment, start, stop in spans:
        times = segment.curves[name].times
        if times:
            covered_s += max(0.0, min(stop, times[-1]) - max(start, times[0]))
    return min(1.0, covered_s / elapsed_s) if elapsed_s > 0 else 0.0


def _edge_error_j(name: str, spans: list[Span]) -> float:
    """Joules by which the edges of stretches may be off; a shared edge cancels out."""
    edges: dict[tuple[int, float], int] = {}
    curves = {id(segment): segment.curves[name] for segment, _, _ in spans}
    for segment, start, stop in spans:
        for edge in ((id(segment), start), (id(segment), stop)):
            edges[edge] = edges.get(edge, 0) + 1
    return math.hypot(
        *(curves[place].uncertainty_j(edge) for (place, edge), count in edges.items() if count == 1)
    )
