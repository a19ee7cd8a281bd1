"""What is known of one domain in many stretches of time together: joules, seconds, doubt, gaps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from energy.ledger import bands
from energy.ledger.bands import Doubt, Stretches
from energy.ledger.both import Both
from energy.ledger.coverage import BRIDGED, MISSING, READ, Coverage
from energy.ledger.interpolation import Floats
from energy.ledger.lag import powers
from energy.ledger.segment import Segment
from energy.ledger.track import Track

NOT_METERED = "not among the meters of that time"
"""Why a domain is missing in a segment that does not name it."""

AT_ONCE = 1 << 13
"""Stretches that are computed together: more need more memory and save no time."""


@dataclass
class Sum:
    """What is known of one domain in some stretches.

    Attributes:
        elapsed_s: seconds of the stretches.
        read_j: joules that were read.
        read_s: seconds of which they were read.
        bridged_j: joules that were bridged.
        bridged_s: seconds that were bridged.
        missing_s: seconds that are missing, by the reason.
        doubt: joules by which `read_j` may be off, the gain of the meter aside.
        known: whether any of the moments was read.
    """

    elapsed_s: float = 0.0
    read_j: float = 0.0
    read_s: float = 0.0
    bridged_j: float = 0.0
    bridged_s: float = 0.0
    missing_s: dict[str, float] = field(default_factory=dict)
    doubt: Doubt = field(default_factory=Doubt)
    known: bool = False

    def add_segment(self, segment: Segment, name: str, starts: Floats, stops: Floats) -> None:
        """Add stretches of a segment, in any order.

        Args:
            segment: the segment.
            name: of the domain; without it the stretches are missing.
            starts: seconds of their begins.
            stops: seconds of their ends.
        """
        if name not in segment.curves:
            seconds = _within(starts, stops)
            self.elapsed_s += seconds
            self.missing_s[NOT_METERED] = self.missing_s.get(NOT_METERED, 0.0) + seconds
            return
        for begins, ends in _parts(starts, stops):
            self._add(segment.coverage(name), begins, ends)

    def _add(self, coverage: Coverage, starts: Floats, stops: Floats) -> None:
        starts_j, stops_j = coverage.shown_j(starts), coverage.shown_j(stops)
        elapsed_s = _within(starts, stops)
        short_s, assumed_j, bridged_s, bridged_j, absent_s = (
            _within(integral.until(starts), integral.until(stops))
            for integral in (
                coverage.seconds[READ],
                coverage.joules[READ],
                coverage.seconds[BRIDGED],
                coverage.joules[BRIDGED],
                coverage.seconds[MISSING],
            )
        )
        self.elapsed_s += elapsed_s
        self.read_s += max(0.0, elapsed_s - bridged_s - absent_s)
        self.read_j += _within(starts_j, stops_j) + assumed_j
        self.bridged_s += bridged_s
        self.bridged_j += bridged_j
        self.known = self.known or coverage.knows(float(starts[0]))
        for why, seconds in coverage.missing().items() if absent_s > 0 else ():
            self.missing_s[why] = self.missing_s.get(why, 0.0) + _within(
                seconds.until(starts), seconds.until(stops)
            )
        if coverage.varies:
            # In a short stretch that no reading tells the device may draw nothing, or all it can.
            most_j = coverage.limit_w * short_s
            self.doubt += Doubt(below_j=assumed_j, above_j=max(0.0, most_j - assumed_j))
            self.doubt += _doubt(coverage, Stretches(starts, stops, starts_j, stops_j))


def _doubt(coverage: Coverage, stretches: Stretches) -> Doubt:
    """Joules by which what the readings show of stretches may be off."""
    track, limit_w, lag = coverage.track, coverage.limit_w, coverage.lag
    if isinstance(track, Both) and lag:
        return bands.of_counter(
            track.counter.readings(), limit_w, _by(track.counter, stretches)
        ) + bands.of_power(powers(track), limit_w, lag, _by(track.power, stretches))
    if lag is None:
        return bands.of_counter(track.readings(), limit_w, stretches)
    later = replace(
        stretches,
        starts=stretches.starts + coverage.trail_s,
        stops=stretches.stops + coverage.trail_s,
    )
    return bands.of_power(powers(track), limit_w, lag, later)


def _by(track: Track, stretches: Stretches) -> Stretches:
    """The parts of stretches that lie within the readings of a track, with their joules."""
    if not track.times:
        return Stretches(*(np.array([]) for _ in range(4)))
    starts, stops = (
        moments.clip(track.times[0], track.times[-1])
        for moments in (stretches.starts, stretches.stops)
    )
    starts, stops = starts[starts < stops], stops[starts < stops]
    return Stretches(starts, stops, track.at_each(starts), track.at_each(stops))


def _within(starts: Floats, stops: Floats) -> float:
    """The sum of what grows from each start to its stop."""
    return float((stops - starts).sum())


def _parts(starts: Floats, stops: Floats) -> Iterator[tuple[Floats, Floats]]:
    """Stretches in the order of their begins, so many at once."""
    order = np.argsort(starts, kind="stable")
    for first in range(0, len(order), AT_ONCE):
        part = order[first : first + AT_ONCE]
        yield starts[part], stops[part]
