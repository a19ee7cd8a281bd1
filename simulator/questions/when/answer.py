"""The answer of `simulator when`: every start of a run, with and without pauses, against flat."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time

import numpy as np

from energy.arithmetic import multiply
from energy.errors import InputError, MissingDataError, nearest
from energy.facts import grid
from energy.quantity import Quantity
from energy.units import J_PER_KWH, S_PER_DAY
from simulator.facts.assumptions import failure_assumptions
from simulator.questions.when.series import Array, Series
from simulator.questions.when.starts import (
    Load,
    Mask,
    Outcome,
    best_threshold,
    curtailed,
    long_enough,
    outcome,
    starts,
    within,
)
from simulator.runs.failures import Job

Window = tuple[float, float]


WHOLE_YEAR_S = 365 * S_PER_DAY


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A run against a grid series.

    Attributes:
        job: the run; its time and watts are known.
        series: the user's, as read.
        load: the run as the grid sees it, at the middle of its bands.
        energy_j: facility joules without a pause.
        assumed: what was assumed of a pause, with its source.
        plain: each start without pauses (curtailment included).
        paused: each start with pauses; None where none were asked for.
        threshold: g/kWh above which it pauses; infinite where that never helps.
        delay_s: seconds that pauses may cost.
        curtailed_s: seconds of the series in which the site may not draw.
        yearly: the flat factor of a zone that the user named; missing otherwise.
    """

    job: Job
    series: Series
    load: Load
    energy_j: Quantity
    assumed: dict[str, Quantity]
    plain: Outcome
    paused: Outcome | None
    threshold: float
    delay_s: float
    curtailed_s: float
    yearly: Quantity

    @property
    def name(self) -> str:
        """Of the run."""
        return self.job.name

    @property
    def flat_g(self) -> float:
        """Grams at the mean of the series: what a flat factor says."""
        return self.load.power_w * self.load.work_s / J_PER_KWH * self.series.mean_g_per_kwh

    @property
    def yearly_g(self) -> Quantity:
        """Grams at the flat factor of the zone."""
        return multiply(self.energy_j, self.yearly, "g").scaled(1 / J_PER_KWH)

    @property
    def co2_band(self) -> tuple[float, float]:
        """The relative band of grams that the band of the joules makes."""
        value, low, high = self.energy_j.numbers()
        return low / value, high / value

    def swings(self) -> tuple[float, float]:
        """Relative standard deviation of the intensity: as it comes, and averaged over the run."""
        weights = np.diff(self.series.edges_s)
        mean = self.series.mean_g_per_kwh
        if mean == 0:
            return 0.0, 0.0
        spread = float(np.sqrt(np.average((self.series.g_per_kwh - mean) ** 2, weights=weights)))
        known = self.plain.co2_g[np.isfinite(self.plain.co2_g)]
        averaged = float(np.std(known)) / float(np.mean(known)) if np.any(known) else 0.0
        return spread / mean, averaged


def schedule(
    job: Job,
    series: Series,
    *,
    yearly: Quantity,
    every_s: float = S_PER_DAY,
    stretch: float = 1.0,
    threshold: float | None = None,
    daily: list[Window] | None = None,
    once: list[Window] | None = None,
    repeat: bool = False,
    given: dict[str, float] | None = None,
) -> Schedule:
    """Put a run on a grid series.

    Args:
        job: what is trained; its time and watts must be known.
        series: grid intensity.
        yearly: flat factor of the run's zone, g/kWh; missing where none was named.
        every_s: seconds between the starts that are tried.
        stretch: how many times as long pauses may make the run, 1 for no pauses.
        threshold: pause above it, g/kWh; searched for when not given.
        daily: hours of every day without power, seconds of the day in UTC.
        once: times without power, seconds since 1970.
        repeat: let the series come back after its end.
        given: values that replace those of `failures.toml`: spare_share, restart_s.

    Raises:
        InputError: a number is out of its range.
        MissingDataError: the run's time or watts are missing, or it does not fit the series.
    """
    if job.training_s.value is None or job.power_w.value is None:
        raise MissingDataError(
            "expected the time and the watts of the run",
            "one of them missing",
            "name --days and --mw",
        )
    if not 1 <= stretch < 100:
        raise InputError("expected --stretch from 1 (no pauses) to 100", f"{stretch:g}")
    if threshold is not None and not threshold > 0:
        raise InputError("expected --threshold above 0 g/kWh", f"{threshold:g}")
    assumed = _assumed(given or {})
    work_s, power_w = job.training_s.value, job.power_w.value
    load = Load(
        work_s=work_s,
        power_w=power_w,
        paused_share=assumed["spare_share"].numbers()[0],
        resume_s=assumed["restart_s"].numbers()[0],
    )
    tried = starts(series, every_s)
    longer = long_enough(series, work_s * stretch, repeat)
    windows = [(daily or [], True), (once or [], False)]
    for times, every_day in windows:
        longer = curtailed(longer, times, every_day)
    off: Mask = np.zeros(len(longer.g_per_kwh), dtype=bool)
    for times, every_day in windows:
        off |= within(longer, times, every_day)
    delay_s = (stretch - 1) * work_s
    plain = outcome(longer, load, tried, curtailed=off)
    if np.all(np.isnan(plain.co2_g)):
        raise MissingDataError(
            "expected a series that holds the run with its curtailed hours",
            series.source,
            "bring a longer one, or --repeat",
        )
    chosen, paused = np.inf, None
    if stretch > 1:
        chosen = threshold or best_threshold(longer, load, tried, delay_s, off)
        paused = outcome(longer, load, tried, threshold=chosen, delay_s=delay_s, curtailed=off)
        paused = None if np.all(np.isnan(paused.co2_g)) else paused
    inside = longer.edges_s[1:] <= series.edges_s[-1] + 1e-6
    return Schedule(
        job=job,
        series=series,
        load=load,
        assumed=assumed,
        plain=plain,
        paused=paused,
        energy_j=multiply(job.training_s, job.power_w, "J"),
        threshold=chosen,
        delay_s=delay_s,
        curtailed_s=float(np.sum(np.diff(longer.edges_s)[off & inside])),
        yearly=yearly,
    )


def windows(texts: list[str]) -> tuple[list[Window], list[Window]]:
    """Curtailed times as typed: those of every day, and those of one date.

    "17:00-21:00" is every day, "2025-07-01T17:00/2025-07-01T21:00" once; UTC.

    Raises:
        InputError: a text is neither, or ends where it begins.
    """
    daily, once = [], []
    for text in texts:
        try:
            if "/" in text:
                begin, end = (_utc_s(datetime.fromisoformat(part)) for part in text.split("/"))
                once.append((begin, end))
            else:
                begin, end = (_of_day_s(time.fromisoformat(part)) for part in text.split("-"))
                daily.append((begin, end))
        except ValueError as error:
            raise InputError(
                "expected --curtail 17:00-21:00 or two ISO times with a slash", text
            ) from error
        if begin == end or ("/" in text and begin > end):
            raise InputError("expected --curtail to end after it begins", text)
    return daily, once


def yearly_factor(zone: str | None) -> Quantity:
    """The flat factor of a zone, or that none was named."""
    if zone is None:
        return Quantity.absent("g/kWh", "no zone was named (--zone)")
    return grid.zone(zone).g_per_kwh


def grams_by_stretch(found: Schedule, load: Load, stretches: Array) -> Array:
    """Grams of the best start at the best threshold for each stretch; curtailment left out."""
    work_s = load.work_s
    tried = found.plain.starts_s[:: max(1, len(found.plain.starts_s) // 60)]
    longer = long_enough(found.series, work_s * float(np.max(stretches)), repeat=True)
    grams = []
    for stretch in stretches.tolist():
        delay_s = (stretch - 1) * work_s
        one = best_threshold(longer, load, tried, delay_s)
        paused = outcome(longer, load, tried, threshold=one, delay_s=delay_s)
        grams.append(float(paused.co2_g[paused.best]))
    return np.array(grams)


def _utc_s(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _of_day_s(moment: time) -> float:
    return 3600.0 * moment.hour + 60.0 * moment.minute + moment.second


def _assumed(given: dict[str, float]) -> dict[str, Quantity]:
    """What a pause costs."""
    found = {name: failure_assumptions()[name] for name in ("spare_share", "restart_s")}
    for name, value in given.items():
        if name not in found:
            raise InputError("expected a figure of pauses", name, nearest(name, found))
        if not 0 <= value < float("inf"):
            raise InputError(f"expected {name} of 0 or more", f"{value:g}")
        found[name] = _as_given(found[name], value)
    return found


def _as_given(quantity: Quantity, value: float) -> Quantity:
    """The same figure as the user gives it, without a band."""
    return quantity.model_copy(
        update={"value": value, "low": value, "high": value, "source": "given"}
    )
