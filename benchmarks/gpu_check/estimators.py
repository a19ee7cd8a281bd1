"""What the readings of a board say of its sensors: update period, delay, averaging window, tick.

A load that is switched on and off at moments drawn at random is known exactly, and a sensor was
read every few milliseconds meanwhile. A power sensor shows, at each of its updates, the mean power
over a window that ended some time before; a counter shows, at each tick, the joules of some time
before. Both are then a straight line in the share of that stretch with the load on, and delay and
window are those for which the line fits best.

All functions are pure: moments in s, power in W, energy in J.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

MIN_CHANGES = 20
"""With fewer changes of a value there is no period to speak of."""

POLLS_PER_PERIOD = 3
"""A period of fewer polls is not resolved."""

COHERENT = 0.85
"""Share of the best coherence that a longer period needs to be taken: its divisors fit as well."""

AWAY = 0.1
"""A value has stood too long while it is so far from the expected one, as a share of the step."""

MOST_DELAY_S, MOST_WINDOW_S = 1.0, 1.6
"""Longest delay and window that are looked for."""


@dataclass(frozen=True)
class Updates:
    """How often a value is updated.

    Attributes:
        period_s: seconds between updates; an upper bound unless `resolved`.
        resolved: whether the period is long enough for the polls to show it.
        regularity: mean cosine of the intervals' phases, 1 for a perfect rhythm.
        poll_s: median seconds between two polls.
        moments_s: when the value changed, midway between two polls.
        values: what it changed to.
    """

    period_s: float
    resolved: bool
    regularity: float
    poll_s: float
    moments_s: Floats
    values: Floats


def updates(times_s: ArrayLike, values: ArrayLike) -> Updates | None:
    """Find the period at which a polled value is updated; None with too few changes.

    Args:
        times_s: moments of the polls.
        values: what each of them read.
    """
    times, read = np.asarray(times_s, dtype=float), np.asarray(values, dtype=float)
    changed = np.flatnonzero(np.diff(read)) + 1
    if len(changed) < MIN_CHANGES:
        return None
    moments = (times[changed] + times[changed - 1]) / 2
    return rhythm(moments, read[changed], float(np.median(np.diff(times))))


def rhythm(moments_s: ArrayLike, values: ArrayLike, poll_s: float) -> Updates:
    """Find the period behind the moments at which a value changed.

    An update that leaves the value as it was cannot be seen, so intervals between changes are
    whole multiples of the period: it is the longest time that divides nearly all of them.

    Args:
        moments_s: when it changed; at least two moments.
        values: what it changed to.
        poll_s: seconds between two polls.
    """
    moments, after = np.asarray(moments_s, dtype=float), np.asarray(values, dtype=float)
    intervals = np.diff(moments)
    shortest = float(np.quantile(intervals, 0.05))
    least = POLLS_PER_PERIOD * poll_s
    if shortest < least:
        return Updates(float(np.median(intervals)), False, 0.0, poll_s, moments, after)
    # A period cannot be longer than the shortest interval, but for the error of its two ends.
    candidates = np.geomspace(least, 1.05 * shortest + poll_s, 4000)
    coherence = np.array([np.mean(np.cos(2 * np.pi * intervals / p)) for p in candidates])
    best = int(np.flatnonzero(coherence >= COHERENT * coherence.max())[-1])
    while best and coherence[best - 1] > coherence[best]:
        best -= 1  # from the foot of the last peak to its top
    period = float(candidates[best])
    for _ in range(3):
        period = float(intervals.sum() / np.round(intervals / period).sum())
    regularity = float(np.mean(np.cos(2 * np.pi * intervals / period)))
    return Updates(period, True, regularity, poll_s, moments, after)


@dataclass(frozen=True)
class Load:
    """When the load was on.

    Attributes:
        on_s: moments at which it was switched on.
        off_s: moments at which it was switched off again.
    """

    on_s: Sequence[float]
    off_s: Sequence[float]

    def seconds_on(self, until_s: ArrayLike) -> Floats:
        """Seconds with the load on before each of these moments."""
        edges = np.column_stack((self.on_s, self.off_s)).ravel()
        on = np.arange(len(edges) - 1) % 2 == 0
        total = np.concatenate(([0.0], np.cumsum(np.diff(edges) * on)))
        seconds: Floats = np.interp(np.asarray(until_s, dtype=float), edges, total)
        return seconds

    def share_on(self, start_s: Floats, stop_s: Floats) -> Floats:
        """Share of each stretch with the load on; at a single moment, whether it was on."""
        width = np.maximum(stop_s - start_s, 1e-6)
        share: Floats = (self.seconds_on(start_s + width) - self.seconds_on(start_s)) / width
        return share


@dataclass(frozen=True)
class Response:
    """How a sensor answers to the load.

    Attributes:
        delay_s: the stretch that a value stands for ended so long before its update.
        window_s: length of that stretch.
        low_w: power with the load off.
        high_w: power with the load on.
        residual_w: root mean square of what the model leaves unexplained.
    """

    delay_s: float
    window_s: float
    low_w: float
    high_w: float
    residual_w: float


def power_response(shown: Updates, load: Load) -> Response:
    """Delay and averaging window of a power sensor, by least squares over both."""
    moments, values = _all_updates(shown)
    best = Response(0.0, 0.0, 0.0, 0.0, np.inf)
    delays, windows = np.arange(0.0, MOST_DELAY_S, 0.025), np.arange(0.0, MOST_WINDOW_S, 0.025)
    step = 0.025
    while True:
        for delay in delays:
            for window in windows:
                stop = moments - delay
                fitted = _line(load.share_on(stop - window, stop), values)
                if fitted[2] < best.residual_w:
                    best = Response(float(delay), float(window), *fitted)
        if step < 0.001:
            return best
        near = np.arange(-2, 3) * step / 2
        delays = np.maximum(0.0, best.delay_s + near)
        windows = np.maximum(0.0, best.window_s + near)
        step /= 2


def counter_response(ticks: Updates, load: Load) -> Response:
    """Delay of a counter: its joules between two ticks are those of so long before."""
    start, stop = ticks.moments_s[:-1], ticks.moments_s[1:]
    values = np.diff(ticks.values) / (stop - start)
    best = Response(0.0, ticks.period_s, 0.0, 0.0, np.inf)
    for delay in np.arange(0.0, MOST_DELAY_S, 0.0005):
        fitted = _line(load.share_on(start - delay, stop - delay), values)
        if fitted[2] < best.residual_w:
            best = Response(float(delay), ticks.period_s, *fitted)
    return best


def longest_hold(shown: Updates, load: Load, response: Response) -> float:
    """Longest time for which a power stood still while the load should have changed it, in s.

    A sensor that never misses an update holds its value for one period.
    """
    moments, values = _all_updates(shown)
    step_w = response.high_w - response.low_w
    # An update is dated to within two polls, which matters beside a step of the load.
    expected = []
    for error_s in (-2 * shown.poll_s, 0.0, 2 * shown.poll_s):
        stop = moments + error_s - response.delay_s
        share = load.share_on(stop - response.window_s, stop)
        expected.append(response.low_w + step_w * share)
    slack = AWAY * abs(step_w)
    below, above = np.min(expected, axis=0) - slack, np.max(expected, axis=0) + slack
    away = (values < below) | (values > above)
    longest = run = 0
    for is_away in away:
        run = run + 1 if is_away else 0
        longest = max(longest, run)
    return (1 + longest) * shown.period_s


def counter_over_power(times_s: ArrayLike, joules: ArrayLike, watts: ArrayLike) -> float | None:
    """Joules of a counter over the integral of the power, each value until the next one.

    Both from the counter's first tick to its last; None if it ticked less than twice.

    Example: a counter that rises by 187 J while the power says 65.4 W for 5 s: 0.572.
    """
    times, read, power = (np.asarray(a, dtype=float) for a in (times_s, joules, watts))
    ticked = np.flatnonzero(np.diff(read)) + 1
    if len(ticked) < 2:
        return None
    first, last = ticked[0], ticked[-1]
    integral = float(np.sum(power[first:last] * np.diff(times[first : last + 1])))
    return float(read[last] - read[first]) / integral if integral > 0 else None


def _all_updates(shown: Updates) -> tuple[Floats, Floats]:
    """Moments and values of all updates, those included that left the value as it was."""
    if not shown.resolved:
        return shown.moments_s, shown.values
    intervals = np.diff(shown.moments_s)
    counts = np.maximum(1, np.round(intervals / shown.period_s)).astype(int)
    moments = [
        start + interval * np.arange(count) / count
        for start, interval, count in zip(shown.moments_s, intervals, counts, strict=False)
    ]
    return np.concatenate(moments), np.repeat(shown.values[:-1], counts)


def _line(share: Floats, values: Floats) -> tuple[float, float, float]:
    """Values at shares 0 and 1 of the least-squares line, and the root mean square beside it."""
    x, y = share - share.mean(), values - values.mean()
    spread = float(x @ x)
    slope = float(x @ y) / spread if spread else 0.0
    low = float(values.mean() - slope * share.mean())
    residual = y - slope * x
    return low, low + slope, float(np.sqrt(residual @ residual / len(y)))
