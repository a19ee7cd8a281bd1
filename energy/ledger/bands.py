"""How far the joules of stretches of time may be from the truth, beyond the gain of their meter.

Two readings tell the joules between them and not when they were spent; a power sensor looks at a
part of the time, and late. Each bound follows from what a device can draw, 0 to `most_w`:

- Counter. Of the joules D between two readings dt apart, stretches that cover the share f of dt
  hold at most min(D, f dt most_w), and at least D less the most of the rest of dt. Example: 25 J in
  0.1 s, 700 W at most, the first half: 0 to 25 J, where interpolation says 12.5 J.
- Power, hidden. A mean over w seconds does not tell how the power changed within w. A stretch of T
  seconds may hold (most_w - P) u more than T times the mean power P that is shown, or Q u less,
  where Q is the most that is shown in it or around its edges, and u is w/4, or T (1 - 3/4 T/w) if
  T is shorter than w. Some sensors look at a quarter of each period only, so u is at least one
  period, or T. Example: 250 W of 700 W, a period of 0.1 s, a window of 25 ms, T = 1 s: 45 J more or
  25 J less than 250 J.
- Power, edges. A step of power is dated to `Lag.edge_s`. Example: 0.15 s, a step of 300 W: 45 J.
- Power, between. What changes from one reading to the next may have changed at any time between.
  Of changes d_i: CHANGES x period x sqrt(sum of d_i^2 / 2). Example: two changes of 300 W, 0.1 s:
  90 J.

Windows in step with the load err in one direction, each as the one before it. So what is hidden,
and the edges, add up linearly over all windows of a name. What lies between the readings, and how
precisely they are dated, is independent from window to window and adds up in quadrature.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from energy.ledger.interpolation import Floats, Readings
from energy.ledger.lag import Lag

Number = TypeVar("Number", bound=np.generic)

DATED_S = 0.002
"""How precisely a reading is dated."""

CHANGES, CHANGES_READ_SELDOM = 3.0, 5.0
"""Standard deviations of the changes between readings within the band.

Two would do for changes at random. A load whose period is near that of the readings keeps step
with them for a while. By the simulation of tests/energy/ledger/test_bands.py it needs three, or
five where the sensor is updated more often than it is read.
"""


@dataclass(frozen=True)
class Doubt:
    """Joules by which the sum of some stretches may be off, the gain of the meter aside.

    Attributes:
        below_j: the truth may be so much less.
        above_j: the truth may be so much more.
        edges_j: it may be so much less or more, for steps of power at the edges.
        squares_j2: sum of the squares of what is independent from stretch to stretch.
    """

    below_j: float = 0.0
    above_j: float = 0.0
    edges_j: float = 0.0
    squares_j2: float = 0.0

    def __add__(self, other: Doubt) -> Doubt:
        return Doubt(
            self.below_j + other.below_j,
            self.above_j + other.above_j,
            self.edges_j + other.edges_j,
            self.squares_j2 + other.squares_j2,
        )

    def band(self, joules: float, low: float, high: float) -> tuple[float, float]:
        """Lower and upper end of the band of joules that were read.

        The gain is independent of how the load changes, so the two add up in quadrature.

        Args:
            joules: what was read.
            low: lower end of the gain's band, as a factor.
            high: upper end of it.
        """
        either_j2 = self.edges_j**2 + self.squares_j2
        below_j = math.sqrt((joules * (1 - low)) ** 2 + either_j2) + self.below_j * low
        above_j = math.sqrt((joules * (high - 1)) ** 2 + either_j2) + self.above_j * high
        return max(0.0, joules - below_j), joules + above_j


CERTAIN = Doubt()
"""No doubt."""


@dataclass(frozen=True)
class Stretches:
    """Stretches of time in the order of their begins, and the joules that were read in them.

    Attributes:
        starts: seconds of the begins.
        stops: seconds of the ends.
        starts_j: joules up to the begins.
        stops_j: joules up to the ends.
    """

    starts: Floats
    stops: Floats
    starts_j: Floats
    stops_j: Floats

    @property
    def overlap(self) -> bool:
        """Whether any two of them overlap."""
        return bool(np.any(self.starts[1:] < self.stops[:-1]))


def of_counter(readings: Readings, limit_w: float, stretches: Stretches) -> Doubt:
    """What the readings of a counter leave open of the joules of stretches."""
    times, joules = readings.times, readings.joules
    if len(times) < 2 or not len(stretches.starts):
        return Doubt()
    starts, stops = (
        np.clip(moments, times[0], times[-1]) for moments in (stretches.starts, stretches.stops)
    )
    first = np.clip(np.searchsorted(times, starts, side="right"), 1, len(times) - 1)
    last = np.maximum(first, np.clip(np.searchsorted(times, stops), 1, len(times) - 1))
    within = first == last
    # Only the intervals around the two edges leave anything open, which may be the same one.
    intervals = _pairs(first, last)
    end_s, end_j = (
        np.where(within, stops, times[first]),
        np.where(within, stretches.stops_j, joules[first]),
    )
    start_s, start_j = (
        np.where(within, stops, times[last - 1]),
        np.where(within, stretches.stops_j, joules[last - 1]),
    )
    seconds = _pairs(end_s - starts, stops - start_s)
    shown_j = _pairs(end_j - stretches.starts_j, stretches.stops_j - start_j)
    known = (seconds > 0) & ~np.isin(intervals, readings.breaks)
    intervals, seconds, shown_j = intervals[known], seconds[known], shown_j[known]
    if not len(intervals):
        return Doubt()
    if not stretches.overlap:
        # The parts of one interval together: a short gap between two windows leaves little open.
        begins = np.flatnonzero(np.diff(intervals, prepend=-1))
        intervals = intervals[begins]
        seconds, shown_j = np.add.reduceat(seconds, begins), np.add.reduceat(shown_j, begins)
    dt = times[intervals] - times[intervals - 1]
    spent_j = joules[intervals] - joules[intervals - 1]
    most_w = np.maximum(limit_w, spent_j / dt)
    high_j = np.minimum(spent_j, seconds * most_w)
    low_j = np.maximum(0.0, spent_j - np.maximum(0.0, dt - seconds) * most_w)
    return Doubt(
        below_j=float(np.maximum(0.0, shown_j - low_j).sum()),
        above_j=float(np.maximum(0.0, high_j - shown_j).sum()),
        squares_j2=float(((DATED_S * spent_j / dt) ** 2).sum()),
    )


def of_power(readings: Readings, limit_w: float, lag: Lag, stretches: Stretches) -> Doubt:
    """What readings of power leave open of the joules of stretches.

    Args:
        readings: watts.
        limit_w: most that the device can draw.
        lag: of the sensor.
        stretches: as late as the readings that show them, by the lag, with their joules.
    """
    if not len(readings.times) or not len(stretches.starts):
        return Doubt()
    begins = np.flatnonzero(_apart(stretches, lag.period_s))
    ends = np.append(begins[1:], len(stretches.starts)) - 1
    starts, stops = stretches.starts[begins], stretches.stops[ends]
    shown_j = stretches.stops_j[ends] - stretches.starts_j[begins]
    seconds = stops - starts
    # Short gaps between stretches: the power in them may have been anything.
    gaps_s = seconds - np.add.reduceat(stretches.stops - stretches.starts, begins)
    gaps_j = shown_j - np.add.reduceat(stretches.stops_j - stretches.starts_j, begins)
    hidden_s = _hidden_s(seconds, lag)
    mean_w = np.divide(shown_j, seconds, out=np.zeros_like(seconds), where=seconds > 0)
    most_w = np.maximum(limit_w, mean_w)
    reach_s = lag.edge_s + lag.window_s / 2
    edges_w, top_w = np.zeros_like(seconds), mean_w
    for edges in (starts, stops):
        low_w, high_w = _extremes_w(readings, edges, lag.edge_s)
        edges_w = edges_w + high_w - low_w
        top_w = np.maximum(top_w, _extremes_w(readings, edges, reach_s)[1])
    changes_w2 = _changes_w2(readings)
    between_w2 = (
        changes_w2[np.searchsorted(readings.times, stops)]
        - changes_w2[np.searchsorted(readings.times, starts)]
    )
    changes = CHANGES_READ_SELDOM if lag.read_seldom else CHANGES
    return Doubt(
        below_j=float((top_w * hidden_s + np.maximum(0.0, most_w * gaps_s - gaps_j)).sum()),
        above_j=float(((most_w - mean_w) * hidden_s + np.maximum(0.0, gaps_j)).sum()),
        edges_j=float((lag.edge_s * edges_w).sum()),
        squares_j2=float(((changes * lag.period_s) ** 2 / 2 * between_w2).sum()),
    )


def _apart(stretches: Stretches, gap_s: float) -> NDArray[np.bool_]:
    """Whether each stretch begins more than a gap after the one before it.

    Of stretches that overlap, each stands alone.
    """
    if stretches.overlap:
        return np.ones(len(stretches.starts), dtype=bool)
    return np.append(True, stretches.starts[1:] - stretches.stops[:-1] > gap_s)


def _hidden_s(seconds: Floats, lag: Lag) -> Floats:
    """Seconds of each stretch in which the power may have been anything."""
    window_s = max(lag.window_s, 1e-9)
    within = np.minimum(seconds, window_s)
    smeared_s = np.where(seconds < window_s, within * (1 - 0.75 * within / window_s), window_s / 4)
    hidden: Floats = np.maximum(smeared_s, np.minimum(seconds, lag.period_s))
    return hidden


def _extremes_w(readings: Readings, moments: Floats, around_s: float) -> tuple[Floats, Floats]:
    """Least and greatest power that was shown around moments."""
    times, watts = readings.times, np.append(readings.values, readings.values[-1])
    first = np.maximum(np.searchsorted(times, moments - around_s, side="right") - 1, 0)
    stop = np.maximum(np.searchsorted(times, moments + around_s), first + 1)
    # `reduceat` reduces from each index to the next; every second of these is not wanted.
    places = _pairs(np.minimum(first, len(times) - 1), np.minimum(stop, len(times)))
    return np.minimum.reduceat(watts, places)[::2], np.maximum.reduceat(watts, places)[::2]


def _changes_w2(readings: Readings) -> Floats:
    """Sum of the squares of the changes up to each reading; one value more than readings."""
    squares = np.diff(readings.values) ** 2
    squares[readings.breaks - 1] = 0.0
    total: Floats = np.concatenate(([0.0, 0.0], np.cumsum(squares)))
    return total


def _pairs(first: NDArray[Number], second: NDArray[Number]) -> NDArray[Number]:
    """The elements of two arrays in turn."""
    return np.column_stack((first, second)).ravel()
