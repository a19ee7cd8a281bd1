"""Time and joules of all windows of a name, and of all stretches of a phase."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from energy.ledger import joules
from energy.ledger.interpolation import Floats
from energy.ledger.lines import Row
from energy.ledger.phases import split_by_phase
from energy.ledger.segment import Segment
from energy.ledger.sums import AT_ONCE, Sum
from energy.ledger.wasted import Span, wasted_windows
from energy.quantity import Quantity
from energy.record import Phase, Window

MIN_TICKS = 3
"""Ticks of the coarsest counter that a window must span to count as resolved."""

CLOCK = "monotonic clock"


@dataclass
class Group:
    """Stretches that are added up.

    Attributes:
        sums: what is known of each domain.
        count: stretches so far.
        elapsed_s: their seconds.
        begin_s: elapsed seconds of the run at the begin of the first.
        end_s: elapsed seconds of the run at the end of the last.
        unresolved: how many were too short for the coarsest counter.
    """

    sums: dict[str, Sum]
    count: int = 0
    elapsed_s: float = 0.0
    begin_s: float = math.inf
    end_s: float = -math.inf
    unresolved: int = 0

    def add(self, segment: Segment, starts: Floats, stops: Floats, before_s: float = 0.0) -> None:
        """Add stretches of a segment.

        Args:
            segment: the segment.
            starts: seconds of the begins.
            stops: seconds of the ends.
            before_s: elapsed seconds of the run before the segment.
        """
        for name, metered in self.sums.items():
            metered.add_segment(segment, name, starts, stops)
        self.count += len(starts)
        self.elapsed_s += float((stops - starts).sum())
        self.begin_s = min(self.begin_s, before_s + float(starts.min()) - segment.start_s)
        self.end_s = max(self.end_s, before_s + float(stops.max()) - segment.start_s)
        self.unresolved += int((stops - starts < MIN_TICKS * segment.resolution_s()).sum())


def windows_of(
    segments: list[Segment],
    before_s: Mapping[int, float],
    wasted: list[Span],
    refused: Mapping[str, str],
) -> list[Window]:
    """The windows that were not wasted, summed by name and phase.

    Args:
        segments: of the run.
        before_s: elapsed seconds of the run before each segment, by its identity.
        wasted: stretches whose windows do not count.
        refused: domains that contradict others, with the reason.
    """
    domains = joules.domains_of(segments)
    groups: dict[tuple[str, str], Group] = {}
    for segment in segments:
        windows = segment.windows
        counted = ~wasted_windows(segment, wasted)
        for first in range(0, len(windows), AT_ONCE):
            part = slice(first, first + AT_ONCE)
            begins, ends = (np.array(column[part]) for column in (windows.begins, windows.ends))
            kinds = np.array(windows.kinds[part])
            kinds[~counted[part]] = -1
            for kind in np.unique(kinds[kinds >= 0]):
                group = groups.setdefault(windows.names[kind], _group(domains))
                own = kinds == kind
                group.add(segment, begins[own], ends[own], before_s[id(segment)])
    return [
        Window(
            name=name,
            phase=phase,
            count=group.count,
            elapsed_s=Quantity.exact(group.elapsed_s, "s", CLOCK),
            energy_j=_energy(group, domains, refused),
            begin_s=group.begin_s,
            end_s=group.end_s,
            unresolved=group.unresolved,
        )
        for (name, phase), group in groups.items()
    ]


def phases_of(segments: list[Segment], refused: Mapping[str, str]) -> list[Phase]:
    """Time and joules of each phase; wasted work counts in the phase in which it was done.

    Args:
        segments: of the run.
        refused: domains that contradict others, with the reason.
    """
    domains = joules.domains_of(segments)
    groups: dict[str, Group] = {}
    for segment in segments:
        for name, starts, stops in split_by_phase(segment.windows, segment.start_s, segment.stop_s):
            groups.setdefault(name, _group(domains)).add(segment, starts, stops)
    return [
        Phase(
            name=name,
            elapsed_s=Quantity.exact(group.elapsed_s, "s", CLOCK),
            energy_j=_energy(group, domains, refused),
        )
        for name, group in groups.items()
    ]


def _group(domains: Mapping[str, Row]) -> Group:
    """A group without stretches."""
    return Group({name: Sum() for name in domains})


def _energy(group: Group, domains: Mapping[str, Row], refused: Mapping[str, str]) -> Quantity:
    """The joules of a group at the innermost boundary that was metered."""
    energy = []
    for name, domain in domains.items():
        reason = domain.get("reason") or refused.get(name, "")
        energy += joules.group_entries({**domain, "reason": reason}, group.sums[name])
    return joules.innermost(energy, "J")
