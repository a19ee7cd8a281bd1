"""The attempts of a job: what each spent, and what of it was lost when it died."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from energy.ledger import joules
from energy.ledger.intervals import Interval, common, length, union, without
from energy.ledger.job import attempt_of
from energy.ledger.lines import FLOP
from energy.ledger.node import Node, elapsed_in
from energy.ledger.segment import Segment
from energy.ledger.wasted import counted, has_died, wasted_spans
from energy.parallel import Attempt
from energy.quantity import Origin, Quantity

CLOCK = "monotonic clock, first to last row of each rank"
LOST = "ledgers: after the last checkpoint of an attempt that died, or thrown away"


@dataclass
class Stretches:
    """When an attempt went on, and which of that was lost, on each node by its boot."""

    going_on: dict[str, list[Interval]] = field(default_factory=dict)
    lost: dict[str, list[Interval]] = field(default_factory=dict)
    lost_flop: float = 0.0
    ranks: set[object] = field(default_factory=set)
    died: bool = False


def attempts_of(ledgers: Iterable[Sequence[Segment]], nodes: Mapping[str, Node]) -> list[Attempt]:
    """The attempts of a job in order; none where nobody counts them.

    Their stretches do not overlap and make up those of the job, so their joules and seconds on one
    node add up to its own. A later attempt begins where its first row is.

    Args:
        ledgers: the segments of each rank, those of all its ledgers together.
        nodes: the nodes by boot.
    """
    attempts: dict[str, Stretches] = {}
    flop = False
    for segments in ledgers:
        segments = list(segments)
        wasted = wasted_spans(segments)
        for i, segment in enumerate(segments):
            name = attempt_of(segment.header.get("job") or {})
            own = attempts.setdefault(name, Stretches())
            boot = segment.header["boot"]
            own.going_on.setdefault(boot, []).append((segment.start_s, segment.stop_s))
            spans = [span for span in wasted if span[0] is segment]
            own.lost.setdefault(boot, []).extend((begin, end) for _, begin, end in spans)
            own.lost_flop += counted([segment], spans, FLOP, lost=True)
            flop = flop or any(mark.get("kind") == FLOP for mark in segment.marks)
            own.ranks.add((segment.header.get("job") or {}).get("rank", 0))
            own.died = own.died or has_died(segments, i)
    if "" in attempts:
        return []
    ordered = sorted(attempts, key=lambda name: [int(part) for part in name.split(".")])
    taken: dict[str, list[Interval]] = {}
    result = []
    for name in reversed(ordered):
        own = attempts[name]
        for boot, intervals in own.going_on.items():
            later = taken.setdefault(boot, [])
            own.going_on[boot] = [
                part for stretch in union(intervals) for part in without(stretch, later)
            ]
            taken[boot] = union([*later, *own.going_on[boot]])
        result.append(_attempt(name, own, nodes, flop))
    return result[::-1]


def goodput(attempts: Sequence[Attempt]) -> dict[str, Quantity]:
    """Seconds of the attempts that were not lost, over all of their seconds, as a metric."""
    elapsed_s = sum(attempt.elapsed_s.value or 0.0 for attempt in attempts)
    lost_s = sum(attempt.wasted_s.value or 0.0 for attempt in attempts)
    if not elapsed_s:
        return {}
    source = "time of all attempts that was not lost, over that time; pauses between them aside"
    return {"goodput": Quantity.exact(1 - lost_s / elapsed_s, "1", source)}


def _attempt(name: str, own: Stretches, nodes: Mapping[str, Node], flop: bool) -> Attempt:
    lost = {
        boot: [part for stretch in union(own.lost.get(boot, [])) for part in common(stretch, on)]
        for boot, on in own.going_on.items()
    }
    lost_s = elapsed_in(nodes, lost)
    unit = "FLOP"
    return Attempt(
        name=name,
        died=own.died,
        ranks=len(own.ranks),
        elapsed_s=Quantity.exact(elapsed_in(nodes, own.going_on), "s", CLOCK),
        energy_j=_spent(nodes, own.going_on),
        wasted_s=Quantity.exact(lost_s, "s", LOST),
        wasted_j=_spent(nodes, lost),
        wasted_flop=Quantity.exact(own.lost_flop, unit, LOST)
        if flop
        else Quantity.absent(unit, "the run counted no FLOP"),
    )


def _spent(nodes: Mapping[str, Node], stretches: Mapping[str, list[Interval]]) -> Quantity:
    """Joules of stretches of the nodes at the innermost boundary; 0 where there are none."""
    if not any(length(own) for own in stretches.values()):
        return Quantity.exact(0.0, "J", LOST, Origin.MEASURED)
    return joules.innermost(
        [entry for boot, own in stretches.items() if own for entry in nodes[boot].entries(own)],
        "J",
    )


def of_one(segments: list[Segment]) -> list[Attempt]:
    """The attempts of the run of one rank with what it owns."""
    boots: dict[str, list[Segment]] = {}
    for segment in segments:
        boots.setdefault(segment.header["boot"], []).append(segment)
    return attempts_of([segments], {boot: Node(own, "") for boot, own in boots.items()})
