"""All that the ranks of a job metered on one machine, each moment of a device once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from energy.ledger import contradictions, joules
from energy.ledger.coverage import BRIDGED, READ
from energy.ledger.intervals import Interval, common, length, union, without
from energy.ledger.lines import Row
from energy.ledger.segment import Segment
from energy.ledger.sums import NOT_METERED
from energy.ledger.wasted import Span
from energy.record import EnergyEntry


class Node:
    """All that was metered between one boot of a machine and the next.

    Args:
        segments: the segments of all ledgers of that boot.
        prefix: put before the names of devices, to distinguish nodes.

    Attributes:
        segments: in order of time.
        times: when the run went on.
        domains: what was metered, by name.
        refused: domains that contradict others, with the reason.
    """

    def __init__(self, segments: Iterable[Segment], prefix: str) -> None:
        self.prefix = prefix
        self.segments = sorted(
            segments, key=lambda s: (s.start_s, -s.stop_s, str(s.header.get("id")))
        )
        self.times = union((s.start_s, s.stop_s) for s in self.segments)
        self.domains = joules.domains_of(self.segments)
        readable = [domain for domain in self.domains.values() if not domain["reason"]]
        if readable:
            self.domains = {k: d for k, d in self.domains.items() if not d.get("stands_in")}
        self.refused = contradictions.refused([segment.span for segment in self.segments])

    def utc_offset_s(self) -> float | None:
        """What added to its seconds gives those of the wall clock; None if that is not known."""
        offsets = (_utc_offset(segment.header) for segment in self.segments)
        return next((offset_s for offset_s in offsets if offset_s is not None), None)

    def entries(self, within: list[Interval] | None = None) -> list[EnergyEntry]:
        """The joules of every device, in the whole run or in some stretches of it."""
        result = []
        for name, domain in sorted(self.domains.items()):
            spans, missing = self._divided(name, self.times if within is None else within)
            reason = domain["reason"] or self.refused.get(name, "")
            result += joules.device_entries(
                {**domain, "reason": reason},
                spans,
                prefix=self.prefix,
                axis=lambda _, time_s: self._elapsed(time_s),
                unmetered=missing,
            )
        return result

    def device_s(self, kind: str) -> float:
        """Seconds of all devices of a kind in which some run had them among its meters."""
        return sum(
            length(union((s.start_s, s.stop_s) for s in self.segments if name in s.curves))
            for name, domain in self.domains.items()
            if domain.get("kind") == kind
        )

    def _divided(
        self, name: str, within: list[Interval]
    ) -> tuple[list[Span], list[joules.Missing]]:
        """The stretches of each segment that count for a device, and those that none could read."""
        own = [segment for segment in self.segments if name in segment.curves]
        left, spans = within, []
        for state in (READ, BRIDGED):
            for segment in own:
                counted = [
                    part
                    for stretch in segment.coverage(name).parts(state)
                    for part in common(stretch, left)
                ]
                spans += [(segment, begin_s, end_s) for begin_s, end_s in counted]
                left = [part for stretch in left for part in without(stretch, counted)]
        missing = []
        for segment in own:
            for hole in segment.coverage(name).holes_between(segment.start_s, segment.stop_s):
                counted = common((hole.begin_s, hole.end_s), left)
                missing += [self._missing(part, hole.why) for part in counted]
                left = [part for stretch in left for part in without(stretch, counted)]
        missing += [self._missing(part, NOT_METERED) for part in left]
        return spans, missing

    def _missing(self, stretch: Interval, why: str) -> joules.Missing:
        begin_s, end_s = stretch
        return self._elapsed(begin_s), self._elapsed(end_s), end_s - begin_s, why

    def _elapsed(self, time_s: float) -> float:
        """Seconds of the run before a moment."""
        return sum(max(0.0, min(time_s, end_s) - begin_s) for begin_s, end_s in self.times)


def elapsed_in(nodes: Mapping[str, Node], stretches: Mapping[str, Iterable[Interval]]) -> float:
    """Seconds that lie in a stretch of any node.

    Clocks of several boots compare by the wall clock, where every ledger has it; else the node
    counts that has most of them.

    Args:
        nodes: the nodes by boot.
        stretches: of each node, by its own clock.
    """
    own = {boot: union(intervals) for boot, intervals in stretches.items()}
    offsets = {boot: nodes[boot].utc_offset_s() for boot in own}
    if len(own) < 2 or None in offsets.values():
        return max(map(length, own.values()), default=0.0)
    return length(
        union(
            (begin_s + (offsets[boot] or 0.0), end_s + (offsets[boot] or 0.0))
            for boot, intervals in own.items()
            for begin_s, end_s in intervals
        )
    )


def _utc_offset(header: Row) -> float | None:
    """What added to the monotonic seconds of a ledger gives those of the wall clock."""
    try:
        return datetime.fromisoformat(header["utc"]).timestamp() - float(header["m"]) / 1e9
    except (KeyError, TypeError, ValueError):
        return None
