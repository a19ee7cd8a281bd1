"""Which stretches of time the readings of a domain tell, which are bridged, and which are missing.

Between two readings that tell the time between them, joules are read. A short stretch at the edge
of that counts with the power beside it, within the uncertainty of an edge. A longer one between
readings is bridged with the powers around it, which is a model. All others are missing.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable
from dataclasses import astuple, dataclass, replace

import numpy as np

from energy.ledger.interpolation import Assumed, Floats, Indices
from energy.ledger.intervals import Interval, without
from energy.ledger.lag import lag_of, most_w, tick_s
from energy.ledger.lines import Row
from energy.ledger.power import PowerTrack
from energy.ledger.track import Hole, Track

SLIVER_S = 0.35
"""A stretch up to this long counts as read: about three ticks of a board's counter."""

SLIVER_TICKS = 3
"""As many ticks of a slower counter."""

BRIDGE_S = 5.0
"""The longest stretch that is bridged."""

BRIDGE_INTERVALS = 3
"""As many sampling intervals, if those are longer."""

STATES = READ, BRIDGED, MISSING = "read", "bridged", "missing"
"""What becomes of a stretch that no reading tells."""


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
        domain: its entry in the header.
        within: begin and end of the segment.
        interval_s: seconds between samples.
        why: tells why there was no reading between two moments, from what the readings say of it.

    Attributes:
        stretches: what no reading tells, in order of time.
        limit_w: most that the device can draw.
        lag: how late the readings are, if they are of power.
        trail_s: how much earlier they count than they were taken.
        varies: whether its power can change at all.
        tick_s: seconds between updates of the meter, as its readings show them.
        joules: what is counted in the stretches of each state, up to a moment.
        seconds: seconds of the stretches of each state, up to a moment.
    """

    def __init__(
        self,
        track: Track,
        domain: Row,
        within: Interval,
        interval_s: float,
        why: Callable[[float, float, str], str],
    ) -> None:
        self.track, self._within = track, within
        self.limit_w = most_w(track, domain)
        self.lag = lag_of(track, domain, self.limit_w)
        if self.lag is None:
            self.trail_s = float(domain.get("lag_s") or 0.0)
        elif isinstance(track, PowerTrack):
            self.trail_s = self.lag.trail_s
        else:
            # What a sampler of version 1 added up by itself cannot be dated anew.
            self.lag = replace(self.lag, edge_s=self.lag.edge_s + self.lag.trail_s)
            self.trail_s = 0.0
        self.varies = domain.get("method") != "constant"
        self.tick_s = self.lag.period_s if self.lag else tick_s(track, domain)
        sliver_s = max(SLIVER_S, SLIVER_TICKS * track.bound.tick_s)
        bridge_s = max(BRIDGE_S, BRIDGE_INTERVALS * interval_s)
        self.stretches = [
            _stretch(hole, within, sliver_s, bridge_s, why) for hole in track.holes(*within)
        ]
        self._begins = [stretch.begin_s for stretch in self.stretches]
        self.joules = {state: self._assumed(state, lambda s: s.watts) for state in STATES}
        self.seconds = {state: self._assumed(state, lambda _: 1.0) for state in STATES}

    def read_j(self, moments: Floats) -> Floats:
        """Joules that were read up to moments, counted from the first reading."""
        return self.shown_j(moments) + self.joules[READ].until(moments)

    def counted_j(self, moments: Floats) -> Floats:
        """Joules up to moments that were read or bridged; of missing time there are none."""
        return self.read_j(moments) + self.joules[BRIDGED].until(moments)

    def shown_j(self, moments: Floats) -> Floats:
        """Those of `read_j` without what is assumed in short stretches that no reading tells.

        What readings show, they show late. So a moment has the power that is shown `trail_s` after
        it, and at the end of the readings the last one.
        """
        known = self.track.known()
        if not self.trail_s or not known:
            return self.track.at_each(moments)
        begins, ends, last_w = (
            np.array(column) for column in zip(*map(astuple, known), strict=True)
        )

        def until(place: Indices, at: Floats) -> Floats:
            """Joules up to moments that are later by the lag, beyond the last reading too."""
            late = at + self.trail_s
            beyond_s: Floats = np.maximum(0.0, late - ends[place])
            return self.track.at_each(np.minimum(late, ends[place])) + last_w[place] * beyond_s

        every = np.arange(len(known))
        first_j = until(every, begins)
        spent_j = until(every, ends) - first_j
        before_j = np.cumsum(spent_j) - spent_j
        place = np.maximum(np.searchsorted(begins, moments, side="right") - 1, 0)
        at = np.clip(moments, begins[place], ends[place])
        return before_j[place] + until(place, at) - first_j[place]

    def between(self, start_s: float, stop_s: float) -> Share:
        """What is known between two moments; contiguous stretches add up exactly."""
        edges = np.array([start_s, stop_s])
        read_j = float(np.diff(self.read_j(edges))[0])
        if not self.stretches:
            return Share(read_j, stop_s - start_s, 0.0, 0.0, ())
        bridged_j = float(np.diff(self.joules[BRIDGED].until(edges))[0])
        missing, seconds = [], {BRIDGED: 0.0, MISSING: 0.0}
        for stretch in self.holes_between(start_s, stop_s):
            if stretch.state == MISSING:
                missing.append(stretch)
            seconds[stretch.state] += stretch.end_s - stretch.begin_s
        read_s = max(0.0, stop_s - start_s - seconds[BRIDGED] - seconds[MISSING])
        return Share(read_j, read_s, bridged_j, seconds[BRIDGED], tuple(missing))

    def missing(self) -> dict[str, Assumed]:
        """Missing seconds up to a moment, by the reason."""
        reasons = dict.fromkeys(s.why for s in self.stretches if s.state == MISSING)
        return {
            why: Assumed(
                (s.begin_s, s.end_s, 1.0)
                for s in self.stretches
                if s.state == MISSING and s.why == why
            )
            for why in reasons
        }

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

    def _assumed(self, state: str, rate: Callable[[Stretch], float]) -> Assumed:
        """A rate in the stretches of a state."""
        return Assumed((s.begin_s, s.end_s, rate(s)) for s in self.stretches if s.state == state)


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
