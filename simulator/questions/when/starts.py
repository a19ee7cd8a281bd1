"""When to run: CO2 of a run for every start, with pauses while the grid is dirty, against flat.

The run draws a constant facility power. What it emits from a start is the difference of one
running integral at its two ends, so a year of starts costs as much as one (grams = integral of
P x CI; energy-weighted, never mean x total: 1 kWh at 100 and
3 kWh at 500 g/kWh are 1,600 g).

A pause is taken while the intensity is above a threshold, until the time that may be lost is used
up; from there the run goes through. A paused machine still draws watts, and going on again costs
time at full power. Curtailment (hours in which the site may not draw) pauses in any case.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from energy.errors import InputError, MissingDataError
from energy.units import J_PER_KWH, S_PER_DAY
from simulator.questions.when.series import Array, Series

Mask = NDArray[np.bool_]


MOST_STARTS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Load:
    """A run as the grid sees it.

    Attributes:
        work_s: seconds that it takes without a pause.
        power_w: facility watts while it runs.
        paused_share: watts while it is paused, over `power_w`.
        resume_s: seconds at full power without progress after each pause.
    """

    work_s: float
    power_w: float
    paused_share: float = 0.0
    resume_s: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """A run for each of its starts; NaN where the series ends before the run does.

    Attributes:
        starts_s: seconds since 1970, UTC.
        co2_g: grams of CO2e.
        energy_j: facility joules.
        elapsed_s: seconds from start to end, pauses included.
    """

    starts_s: Array
    co2_g: Array
    energy_j: Array
    elapsed_s: Array

    @property
    def best(self) -> int:
        """Place of the start that emits least."""
        return int(np.nanargmin(self.co2_g))

    @property
    def worst(self) -> int:
        """Place of the start that emits most."""
        return int(np.nanargmax(self.co2_g))


@dataclass(frozen=True)
class _Course:
    """Running integrals along a series, and of each interval: off, and its resumption's end."""

    edges_s: Array
    progress_s: Array
    delay_s: Array
    energy_j: Array
    co2_g: Array
    stopped: Mask
    resumed_s: Array

    def at(self, times_s: Array, integral: Array) -> Array:
        return np.interp(times_s, self.edges_s, integral)

    def when(self, integral: Array, reaches: Array) -> Array:
        """The first time at which an integral reaches a value; infinite when it does not."""
        place = np.searchsorted(integral, reaches, side="left")
        inside = np.clip(place, 1, len(integral) - 1)
        before, after = integral[inside - 1], integral[inside]
        share = (reaches - before) / np.where(after > before, after - before, 1.0)
        length = self.edges_s[inside] - self.edges_s[inside - 1]
        found = self.edges_s[inside - 1] + np.clip(share, 0, 1) * length
        # A rounding error past the last edge is not an end that the series does not hold.
        late = reaches > integral[-1] * (1 + 1e-12)
        return np.where(late, np.inf, found)


def starts(series: Series, every_s: float) -> Array:
    """Starts to try, from the beginning of a series to its end."""
    if not every_s > 0:
        raise InputError("expected time between starts above 0", f"{every_s:g}")
    if series.span_s / every_s > MOST_STARTS:
        raise InputError(
            f"expected at most {MOST_STARTS:,} starts",
            f"{series.span_s / every_s:,.0f}",
            "take a longer --every",
        )
    return np.arange(series.edges_s[0], series.edges_s[-1], every_s)


def outcome(
    series: Series,
    load: Load,
    starts_s: Array,
    *,
    threshold: float = np.inf,
    delay_s: float = 0.0,
    curtailed: Mask | None = None,
) -> Outcome:
    """What a run emits from each start.

    1 MW for 2 h, the first at 100 and the second at 500 g/kWh: 600 kg.

    Args:
        series: grid intensity.
        load: the run.
        starts_s: when it begins.
        threshold: pause above this intensity, g/kWh; infinite is never.
        delay_s: seconds that such pauses may cost, resumption included.
        curtailed: intervals of the series in which the site may not draw.
    """
    off: Mask = np.zeros(len(series.g_per_kwh), dtype=bool) if curtailed is None else curtailed
    free = _course(series, load, off)
    begin = free.at(starts_s, free.progress_s)
    if delay_s <= load.resume_s or not np.any(series.g_per_kwh > threshold):
        ends = free.when(free.progress_s, begin + load.work_s)
        return _told(starts_s, ends, _between(free, starts_s, ends))
    picky = _course(series, load, off | (series.g_per_kwh > threshold))
    began = picky.at(starts_s, picky.progress_s)
    # The pause that uses the delay up is followed by a resumption, which is kept back here.
    spent = picky.at(starts_s, picky.delay_s) + delay_s - load.resume_s
    turn = picky.when(picky.delay_s, spent)
    done = picky.when(picky.progress_s, began + load.work_s)
    turn = np.minimum(turn, done)
    inside = np.minimum(turn, series.edges_s[-1])
    left = load.work_s - (picky.at(inside, picky.progress_s) - began)
    more = np.where(turn < done, left + _resumption(picky, free, load, inside), 0.0)
    ends = free.when(free.progress_s, free.at(inside, free.progress_s) + more)
    ends = np.where(turn < done, ends, done)
    first = _between(picky, starts_s, inside)
    second = _between(free, inside, np.maximum(ends, inside))
    return _told(starts_s, ends, (first[0] + second[0], first[1] + second[1]))


def best_threshold(
    series: Series, load: Load, starts_s: Array, delay_s: float, curtailed: Mask | None = None
) -> float:
    """The threshold with which the best start emits least; infinite when pausing never helps."""
    tried = [float("inf"), *np.quantile(series.g_per_kwh, np.linspace(0.3, 0.99, 47))]
    found = [
        outcome(series, load, starts_s, threshold=one, delay_s=delay_s, curtailed=curtailed)
        for one in tried
    ]
    known = [one.co2_g[one.best] if not np.all(np.isnan(one.co2_g)) else np.inf for one in found]
    # A threshold that the best start never meets is no pause at all.
    least = int(np.argmin(known))
    return float(tried[least]) if known[least] < known[0] * (1 - 1e-9) else float("inf")


def curtailed(series: Series, windows: list[tuple[float, float]], daily: bool) -> Series:
    """The series with an edge at each end of the windows.

    Args:
        series: grid intensity.
        windows: seconds of the day (UTC) when `daily`, else seconds since 1970.
        daily: the windows come back every day.
    """
    return series.cut(
        np.array([end for window in _spread(series, windows, daily) for end in window])
    )


def within(series: Series, windows: list[tuple[float, float]], daily: bool) -> Mask:
    """Which intervals of a series lie in a window."""
    middle = (series.edges_s[1:] + series.edges_s[:-1]) / 2
    found: Mask = np.zeros(len(middle), dtype=bool)
    for begin, end in _spread(series, windows, daily):
        found |= (middle > begin) & (middle < end)
    return found


def long_enough(series: Series, elapsed_s: float, repeat: bool) -> Series:
    """The series, repeated where that was asked for, so that a run fits.

    Raises:
        MissingDataError: the run is longer than the series.
    """
    if repeat:
        return series.repeated(1 + int(np.ceil(elapsed_s / series.span_s)))
    if series.span_s < elapsed_s:
        raise MissingDataError(
            f"expected a series of {elapsed_s / S_PER_DAY:.3g} days or more",
            f"{series.span_s / S_PER_DAY:.3g} days in {series.source}",
            "bring a longer one, or let it come back with --repeat",
        )
    return series


def _course(series: Series, load: Load, off: Mask) -> _Course:
    """The integrals of a run that stops in the intervals `off`, and resumes after them."""
    resumed = np.flatnonzero(off[:-1] & ~off[1:]) + 1
    begins = series.edges_s[resumed]
    finer = series.cut(begins + load.resume_s)
    place = np.searchsorted(series.edges_s, finer.edges_s[:-1], side="right") - 1
    stopped: Mask = off[place]
    last = np.searchsorted(begins, finer.edges_s[:-1], side="right")
    resumed_s = np.concatenate([[-np.inf], begins + load.resume_s])[last]
    resuming = ~stopped & (finer.edges_s[:-1] < resumed_s)
    length = np.diff(finer.edges_s)
    joules = length * load.power_w * np.where(stopped, load.paused_share, 1.0)
    working = ~stopped & ~resuming
    progress_s, delay_s, energy_j, co2_g = (
        np.concatenate([[0.0], np.cumsum(one)])
        for one in (
            length * working,
            length * ~working,
            joules,
            joules * finer.g_per_kwh / J_PER_KWH,
        )
    )
    return _Course(finer.edges_s, progress_s, delay_s, energy_j, co2_g, stopped, resumed_s)


def _resumption(picky: _Course, free: _Course, load: Load, turn_s: Array) -> Array:
    """Seconds without progress that are still to come where no more pauses are taken.

    A pause that ends there is followed by a whole resumption, unless curtailment goes on and
    brings its own; a resumption that was going on is finished.
    """
    place, other = (
        np.clip(np.searchsorted(one.edges_s, turn_s, side="left") - 1, 0, None)
        for one in (picky, free)
    )
    curtailed = free.stopped[other]
    going_on = np.maximum(0.0, picky.resumed_s[place] - turn_s)
    return np.where(picky.stopped[place], np.where(curtailed, 0.0, load.resume_s), going_on)


def _between(course: _Course, begin: Array, end: Array) -> tuple[Array, Array]:
    """Joules and grams between two times; NaN where the end is not in the series."""
    inside = np.where(np.isfinite(end), end, course.edges_s[-1])
    found = [
        course.at(inside, sums) - course.at(begin, sums) for sums in (course.energy_j, course.co2_g)
    ]
    return found[0], found[1]


def _told(starts_s: Array, ends_s: Array, spent: tuple[Array, Array]) -> Outcome:
    known = np.isfinite(ends_s)
    energy_j, co2_g = (np.where(known, one, np.nan) for one in spent)
    return Outcome(starts_s, co2_g, energy_j, np.where(known, ends_s - starts_s, np.nan))


def _spread(
    series: Series, windows: list[tuple[float, float]], daily: bool
) -> list[tuple[float, float]]:
    """The windows in seconds since 1970; a daily one over midnight ends on the next day."""
    if not daily:
        return windows
    first = np.floor(series.edges_s[0] / S_PER_DAY) - 1
    days = np.arange(first, np.ceil(series.edges_s[-1] / S_PER_DAY) + 1) * S_PER_DAY
    return [
        (day + begin, day + end + (S_PER_DAY if end <= begin else 0))
        for begin, end in windows
        for day in days.tolist()
    ]
