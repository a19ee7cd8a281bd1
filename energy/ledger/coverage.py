"""Which stretches of time the readings of a domain tell, which are bridged, and which are missing.

Between two readings that tell the time between them, joules are read. A short stretch at the edge
of that counts with the power beside it, within the uncertainty of an edge. A longer one between
readings is bridged with the powers around it, which is a model. All others are missing.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable
from dataclasses import dataclass

from energy.ledger.intervals import Interval, without
from energy.ledger.track import Hole, Track

SLIVER_S = 0.35
"""A stretch up to this long counts as read: about three ticks of a board's counter."""

SLIVER_TICKS = 3
"""As many ticks of a slower counter."""

BRIDGE_S = 5.0
"""The longest stretch that is bridged."""

BRIDGE_INTERVALS = 3
"""As many sampling intervals, if those are longer."""

READ, BRIDGED, MISSING = "read", "bridged", "missing"


@dataclass(frozen=True)
class Stretch:
    """A stretch that no reading tells.

    Attributes:
        begin_s: begin.
        end_s: end.
        state: read, because it is so short; bridged or missing.
        watts: the power that is counted in it.
        why: why there is no reading.
    """

    begin_s: float
    end_s: float
    state: str
    watts: float
    why: str


@dataclass(frozen=True)
class Share:
    """What is known of one domain between two moments.

    Attributes:
        read_j: joules that were read.
        read_s: seconds of which they were read.
        bridged_j: joules that were bridged.
        bridged_s: seconds that were bridged.
        missing: the stretches that are missing.
    """

    read_j: float
    read_s: float
    bridged_j: float
    bridged_s: float
    missing: tuple[Stretch, ...]


class Coverage:
    """Divides a segment of the run, for one domain, into what was read, bridged and missed.

    Args:
        track: the readings of the domain.
        within: begin and end of the segment.
        interval_s: seconds between samples.
        why: tells why there was no reading between two moments, from what the readings say of it.

    Attributes:
        stretches: what no reading tells, in order of time.
    """

    def __init__(
        self,
        track: Track,
        within: Interval,
        interval_s: float,
        why: Callable[[float, float, str], str],
    ) -> None:
        self.track, self._within = track, within
        sliver_s = max(SLIVER_S, SLIVER_TICKS * track.bound.tick_s)
        bridge_s = max(BRIDGE_S, BRIDGE_INTERVALS * interval_s)
        self.stretches = [
            _stretch(hole, within, sliver_s, bridge_s, why) for hole in track.holes(*within)
        ]
        self._begins = [stretch.begin_s for stretch in self.stretches]
        self._sums = {READ: [0.0], BRIDGED: [0.0]}
        for stretch in self.stretches:
            joules = stretch.watts * (stretch.end_s - stretch.begin_s)
            for state, sums in self._sums.items():
                sums.append(sums[-1] + (joules if stretch.state == state else 0.0))

    def read_j(self, time_s: float) -> float:
        """Joules that were read up to a moment, counted from the first reading."""
        return (self.track.at(time_s) or 0.0) + self._assumed_j(READ, time_s)

    def between(self, start_s: float, stop_s: float) -> Share:
        """What is known between two moments; contiguous stretches add up exactly."""
        read_j = self.read_j(stop_s) - self.read_j(start_s)
        if not self.stretches:
            return Share(read_j, stop_s - start_s, 0.0, 0.0, ())
        bridged = self._assumed_j(BRIDGED, stop_s) - self._assumed_j(BRIDGED, start_s)
        missing, seconds = [], {BRIDGED: 0.0, MISSING: 0.0}
        for stretch in self.holes_between(start_s, stop_s):
            if stretch.state == MISSING:
                missing.append(stretch)
            seconds[stretch.state] += stretch.end_s - stretch.begin_s
        read_s = max(0.0, stop_s - start_s - seconds[BRIDGED] - seconds[MISSING])
        return Share(read_j, read_s, bridged, seconds[BRIDGED], tuple(missing))

    def holes_between(self, start_s: float, stop_s: float) -> list[Stretch]:
        """The parts of the bridged and missing stretches between two moments."""
        holes = []
        for i in range(max(0, bisect.bisect_right(self._begins, start_s) - 1), len(self._begins)):
            hole = self.stretches[i]
            if hole.begin_s >= stop_s:
                break
            begin_s, end_s = max(hole.begin_s, start_s), min(hole.end_s, stop_s)
            if begin_s < end_s and hole.state != READ:
                holes.append(Stretch(begin_s, end_s, hole.state, hole.watts, hole.why))
        return holes

    def parts(self, state: str) -> list[Interval]:
        """The stretches of the segment that were read, or bridged, in order of time."""
        if state == READ:
            holes = [(s.begin_s, s.end_s) for s in self.stretches if s.state != READ]
            return without(self._within, holes)
        return [(s.begin_s, s.end_s) for s in self.stretches if s.state == state]

    def knows(self, time_s: float) -> bool:
        """Whether the joules at a moment were read."""
        i = bisect.bisect_right(self._begins, time_s) - 1
        if i < 0:
            return bool(self.track.times)
        hole = self.stretches[i]
        return hole.state == READ or not hole.begin_s < time_s < hole.end_s

    def error_j(self, time_s: float) -> float:
        """Joules by which the joules up to a moment may be off: none where nothing is read."""
        i = bisect.bisect_right(self._begins, time_s) - 1
        hole = self.stretches[i] if i >= 0 else None
        if hole is None or time_s >= hole.end_s:
            return self.track.uncertainty_j(time_s)
        if hole.state != READ:
            return 0.0
        return hole.watts * min(time_s - hole.begin_s, hole.end_s - time_s)

    def _assumed_j(self, state: str, time_s: float) -> float:
        """Joules up to a moment of the stretches in a state that no reading tells."""
        i = bisect.bisect_right(self._begins, time_s) - 1
        if i < 0:
            return 0.0
        hole, sums = self.stretches[i], self._sums[state]
        inside = min(time_s, hole.end_s) - hole.begin_s if hole.state == state else 0.0
        return sums[i] + hole.watts * inside


def _stretch(
    hole: Hole,
    within: Interval,
    sliver_s: float,
    bridge_s: float,
    why: Callable[[float, float, str], str],
) -> Stretch:
    """What becomes of a stretch that no reading tells."""
    powers = [power for power in (hole.before_w, hole.after_w) if power is not None]
    watts = sum(powers) / len(powers) if powers else 0.0
    seconds = hole.end_s - hole.begin_s
    inner = within[0] < hole.begin_s and hole.end_s < within[1]
    if powers and seconds <= sliver_s:
        return Stretch(hole.begin_s, hole.end_s, READ, watts, "")
    reason = why(hole.begin_s, hole.end_s, hole.why)
    if powers and inner and seconds <= bridge_s:
        return Stretch(hole.begin_s, hole.end_s, BRIDGED, watts, reason)
    return Stretch(hole.begin_s, hole.end_s, MISSING, 0.0, reason)
