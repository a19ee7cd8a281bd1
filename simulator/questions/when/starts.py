"""CO2 of a run for each time it may start, with pauses while the grid is dirty.

A run draws constant facility power. Its emissions from a start are the difference of one running
integral at two times, so that all starts of a year cost no more than one start. Each hour's energy
is weighted by the intensity of that hour, never by the mean: 1 kWh at 100 and 3 kWh at 500 g/kWh
are 1,600 g.

A run pauses while the intensity is above a threshold, until the pauses have cost as much time as
they may; from then on it runs through. A paused machine still draws some power, and resuming takes
time at full power. In curtailed hours, in which the site may not draw power, it pauses in any case.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from energy.errors import InputError, MissingDataError
from energy.facts.grid_series import Array, Series
from energy.units import J_PER_KWH, S_PER_DAY
from simulator.questions.when.curtailment import Mask

MOST_STARTS = 1_000_000

QUANTILES = np.linspace(0.3, 0.99, 47)
"""Quantiles of the intensity that are tried as thresholds."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """A run as the grid sees it.

    Attributes:
        work_s: seconds of the run without pauses.
        power_w: facility watts while it runs.
        paused_share: watts while it is paused, over `power_w`.
        resume_s: seconds at full power without progress after each pause.
    """

    work_s: float
    power_w: float
    paused_share: float = 0.0
    resume_s: float = 0.0


@dataclass(frozen=True)
class Outcomes:
    """A run from each of its starts; NaN where it does not end within the series.

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
        """Index of the start with the lowest emissions."""
        return int(np.nanargmin(self.co2_g))

    @property
    def worst(self) -> int:
        """Index of the start with the highest emissions."""
        return int(np.nanargmax(self.co2_g))

    @property
    def none_ends(self) -> bool:
        """Whether the run ends within the series from none of the starts."""
        return bool(np.all(np.isnan(self.co2_g)))


@dataclass(frozen=True)
class _Course:
    """Running integrals of a run along a series, and the state of each interval.

    Attributes:
        edges_s: times of the integrals, seconds since 1970.
        progress_s: seconds of work done.
        delay_s: seconds without progress.
        energy_j: facility joules.
        co2_g: grams of CO2e.
        stopped: of each interval, whether the run is paused or curtailed in it.
        resumed_s: of each interval, when the resumption after the last stop ends.
    """

    edges_s: Array
    progress_s: Array
    delay_s: Array
    energy_j: Array
    co2_g: Array
    stopped: Mask
    resumed_s: Array

    def at(self, times_s: Array, integral: Array) -> Array:
        """An integral at some times."""
        return np.interp(times_s, self.edges_s, integral)

    def first_time(self, integral: Array, reaches: Array) -> Array:
        """The first time at which an integral reaches a value; infinite if it never does."""
        place = np.searchsorted(integral, reaches, side="left")
        inside = np.clip(place, 1, len(integral) - 1)
        before, after = integral[inside - 1], integral[inside]
        share = (reaches - before) / np.where(after > before, after - before, 1.0)
        length = self.edges_s[inside] - self.edges_s[inside - 1]
        time_s = self.edges_s[inside - 1] + np.clip(share, 0, 1) * length
        # A rounding error past the last edge does not mean that the series is too short.
        late = reaches > integral[-1] * (1 + 1e-12)
        return np.where(late, np.inf, time_s)


def starts(series: Series, every_s: float) -> Array:
    """Times to start at, from the beginning of a series to its end.

    Raises:
        InputError: the time between starts is not above 0, or too short for the series.
    """
    if not every_s > 0:
        raise InputError("expected time between starts above 0", f"{every_s:g}")
    if series.span_s / every_s > MOST_STARTS:
        raise InputError(
            f"expected at most {MOST_STARTS:,} starts",
            f"{series.span_s / every_s:,.0f}",
            "take a longer --every",
        )
    return np.arange(series.edges_s[0], series.edges_s[-1], every_s)


def long_enough(series: Series, elapsed_s: float, repeat: bool) -> Series:
    """A series that a run fits into: repeated as often as needed, where that is allowed.

    Raises:
        MissingDataError: the run is longer than the series, which may not be repeated.
    """
    if repeat:
        return series.repeated(1 + int(np.ceil(elapsed_s / series.span_s)))
    if series.span_s < elapsed_s:
        raise MissingDataError(
            f"expected a series of {elapsed_s / S_PER_DAY:.3g} days or more",
            f"{series.span_s / S_PER_DAY:.3g} days in {series.source}",
            "use a longer one, or repeat it with --repeat",
        )
    return series


def outcomes(
    series: Series,
    load: Load,
    starts_s: Array,
    *,
    threshold: float = np.inf,
    delay_s: float = 0.0,
    curtailed: Mask | None = None,
) -> Outcomes:
    """Emissions, energy and time of a run from each start.

    1 MW for 2 h, the first at 100 and the second at 500 g/kWh: 600 kg.

    Args:
        series: grid intensity.
        load: the run.
        starts_s: when it starts.
        threshold: pause above this intensity, g/kWh; infinite means never.
        delay_s: seconds that such pauses may cost, resumptions included.
        curtailed: intervals of the series in which the site may not draw power.
    """
    off = _off(series, curtailed)
    steady = _course(series, load, off)
    return _with_threshold(series, load, starts_s, threshold, delay_s, off=off, steady=steady)


def _off(series: Series, curtailed: Mask | None) -> Mask:
    return np.zeros(len(series.g_per_kwh), dtype=bool) if curtailed is None else curtailed


def _with_threshold(
    series: Series,
    load: Load,
    starts_s: Array,
    threshold: float,
    delay_s: float,
    *,
    off: Mask,
    steady: _Course,
) -> Outcomes:
    """`outcomes` of one threshold, from the course of a run without pauses."""
    if delay_s <= load.resume_s or not np.any(series.g_per_kwh > threshold):
        begin = steady.at(starts_s, steady.progress_s)
        ends_s = steady.first_time(steady.progress_s, begin + load.work_s)
        return _outcomes(starts_s, ends_s, _between(steady, starts_s, ends_s))
    pausing = _course(series, load, off | (series.g_per_kwh > threshold))
    return _pause_then_run_through(pausing, steady, load, starts_s, delay_s)


def best_threshold(
    series: Series, load: Load, starts_s: Array, delay_s: float, curtailed: Mask | None = None
) -> float:
    """The threshold with which the best start emits least; infinite if pausing never helps."""
    thresholds = [float("inf"), *np.quantile(series.g_per_kwh, QUANTILES)]
    off = _off(series, curtailed)
    steady = _course(series, load, off)
    results = [
        _with_threshold(series, load, starts_s, each, delay_s, off=off, steady=steady)
        for each in thresholds
    ]
    grams = [np.inf if runs.none_ends else runs.co2_g[runs.best] for runs in results]
    # A threshold that the best start never meets is no pause at all.
    least = int(np.argmin(grams))
    return float(thresholds[least]) if grams[least] < grams[0] * (1 - 1e-9) else float("inf")


def least_co2_g(series: Series, load: Load, starts_s: Array, stretches: Array) -> Array:
    """Grams of the best start at the best threshold, by how much longer pauses may make the run.

    Args:
        series: grid intensity; it is repeated as often as the longest run needs.
        load: the run, which is never curtailed.
        starts_s: when it starts.
        stretches: longest time from start to end, over that without pauses.
    """
    longer = long_enough(series, load.work_s * float(np.max(stretches)), repeat=True)
    grams = []
    for stretch in stretches.tolist():
        delay_s = (stretch - 1) * load.work_s
        threshold = best_threshold(longer, load, starts_s, delay_s)
        runs = outcomes(longer, load, starts_s, threshold=threshold, delay_s=delay_s)
        grams.append(float(runs.co2_g[runs.best]))
    return np.array(grams)


def _pause_then_run_through(
    pausing: _Course, steady: _Course, load: Load, starts_s: Array, delay_s: float
) -> Outcomes:
    """A run that pauses until its delay is used up, and then no more.

    Args:
        pausing: the run with pauses.
        steady: the run without them.
        load: the run.
        starts_s: when it starts.
        delay_s: seconds that pauses may cost, above the time of one resumption.
    """
    begin = pausing.at(starts_s, pausing.progress_s)
    # The pause that uses up the delay is followed by a resumption, for which time is kept.
    used_up_s = pausing.at(starts_s, pausing.delay_s) + delay_s - load.resume_s
    turn_s = pausing.first_time(pausing.delay_s, used_up_s)
    done_s = pausing.first_time(pausing.progress_s, begin + load.work_s)
    turn_s = np.minimum(turn_s, done_s)
    inside_s = np.minimum(turn_s, pausing.edges_s[-1])
    left_s = load.work_s - (pausing.at(inside_s, pausing.progress_s) - begin)
    more_s = np.where(turn_s < done_s, left_s + _resumption(pausing, steady, load, inside_s), 0.0)
    ends_s = steady.first_time(steady.progress_s, steady.at(inside_s, steady.progress_s) + more_s)
    ends_s = np.where(turn_s < done_s, ends_s, done_s)
    first = _between(pausing, starts_s, inside_s)
    second = _between(steady, inside_s, np.maximum(ends_s, inside_s))
    return _outcomes(starts_s, ends_s, (first[0] + second[0], first[1] + second[1]))


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
        np.concatenate([[0.0], np.cumsum(amounts)])
        for amounts in (
            length * working,
            length * ~working,
            joules,
            joules * finer.g_per_kwh / J_PER_KWH,
        )
    )
    return _Course(finer.edges_s, progress_s, delay_s, energy_j, co2_g, stopped, resumed_s)


def _resumption(pausing: _Course, steady: _Course, load: Load, turn_s: Array) -> Array:
    """Seconds without progress that remain when a run turns from pausing to running through.

    A pause that ends there is followed by a whole resumption, unless curtailment continues and
    has a resumption of its own; a resumption that has begun is finished.
    """
    place, steady_place = (
        np.clip(np.searchsorted(course.edges_s, turn_s, side="left") - 1, 0, None)
        for course in (pausing, steady)
    )
    curtailed = steady.stopped[steady_place]
    begun_s = np.maximum(0.0, pausing.resumed_s[place] - turn_s)
    return np.where(pausing.stopped[place], np.where(curtailed, 0.0, load.resume_s), begun_s)


def _between(course: _Course, begin_s: Array, end_s: Array) -> tuple[Array, Array]:
    """Joules and grams between two times; up to the last edge where the end is infinite."""
    inside_s = np.where(np.isfinite(end_s), end_s, course.edges_s[-1])
    energy_j, co2_g = (
        course.at(inside_s, integral) - course.at(begin_s, integral)
        for integral in (course.energy_j, course.co2_g)
    )
    return energy_j, co2_g


def _outcomes(starts_s: Array, ends_s: Array, spent: tuple[Array, Array]) -> Outcomes:
    """Outcomes from joules and grams, with NaN where the run does not end."""
    ended = np.isfinite(ends_s)
    energy_j, co2_g = (np.where(ended, amounts, np.nan) for amounts in spent)
    return Outcomes(starts_s, co2_g, energy_j, np.where(ended, ends_s - starts_s, np.nan))
