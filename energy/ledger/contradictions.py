"""Which wider meters show less than the devices inside them, and are therefore refused.

A platform, a module or a node cannot spend less than a processor or a board within it. Where it
seems to, beyond the bands of both and what its sensor may lag behind, the wider meter stands still
or is wrong, and the inner ones count.
"""

from __future__ import annotations

from energy import units
from energy.ledger.intervals import Interval, union, without
from energy.ledger.joules import domains_of
from energy.ledger.lines import Row
from energy.ledger.wasted import Span
from energy.quantity import Boundary

MEASURED = "measured"

LAG_S, LAG_TICKS = 0.5, 5
"""A meter may show what was drawn this long ago, or so many of its own updates ago."""


def refused(spans: list[Span]) -> dict[str, str]:
    """The domains of stretches of a ledger that contradict those inside them, with the reason."""
    domains = domains_of(segment for segment, _, _ in spans)
    reasons: dict[str, str] = {}
    # From the inside out: what is refused counts as the sum of what is within it.
    for name, domain in sorted(domains.items(), key=lambda item: -_depth(item[1], domains)):
        inner = _inside(domain, domains)
        if domain.get("reason") or not inner:
            continue
        outer_j = least_inner_j = read_s = 0.0
        for segment, start_s, stop_s in spans:
            if name not in segment.curves:
                continue
            for begin_s, end_s in _read(name, (segment, start_s, stop_s)):
                read_s += end_s - begin_s
                outer_j += segment.between(name, begin_s, end_s) or 0.0
                least_inner_j += sum(
                    _least_j(other, (segment, begin_s, end_s), domains, reasons) for other in inner
                )
        lag_s = max(LAG_S, LAG_TICKS * float(domain.get("tick_s") or 0.0))
        late = max(0.0, 1 - lag_s / read_s) if read_s else 0.0
        if outer_j * domain["high"] < least_inner_j * late:
            reasons[name] = (
                f"refused: it shows {units.energy(outer_j)}, less than the "
                f"{units.energy(least_inner_j)} or more that are within it"
            )
    return reasons


def _depth(domain: Row, domains: dict[str, Row]) -> float:
    """How many domains contain this one; a wider boundary contains all of a narrower one."""
    depth = -10.0 * list(Boundary).index(Boundary(domain["boundary"]))
    while domain["within"] in domains:
        domain, depth = domains[domain["within"]], depth + 1
    return depth


def _inside(domain: Row, domains: dict[str, Row]) -> list[str]:
    """The measured domains that a domain contains directly."""
    wider = Boundary(domain["boundary"]) is not Boundary.CHIP
    return [
        name
        for name, other in domains.items()
        if other["origin"] == MEASURED
        and not other.get("reason")
        and (
            other["within"] == domain["id"]
            or (wider and other["boundary"] == Boundary.CHIP and other["within"] is None)
        )
    ]


def _least_j(name: str, span: Span, domains: dict[str, Row], reasons: dict[str, str]) -> float:
    """The least joules that a domain can have spent in a stretch."""
    segment, begin_s, end_s = span
    if name in reasons:
        inner = _inside(domains[name], domains)
        return sum(_least_j(other, span, domains, reasons) for other in inner)
    if name not in segment.curves:
        return 0.0
    return (segment.between(name, begin_s, end_s) or 0.0) * float(domains[name]["low"])


def _read(name: str, span: Span) -> list[Interval]:
    """The parts of a stretch in which a domain was read and the machine was awake.

    While it sleeps counters go on, and nobody reads a power.
    """
    segment, start_s, stop_s = span
    holes = segment.coverage(name).holes_between(start_s, stop_s)
    unread = [(hole.begin_s, hole.end_s) for hole in holes]
    asleep = [stretch for track in segment.curves.values() for stretch in track.asleep()]
    return without((start_s, stop_s), union([*unread, *asleep]))
