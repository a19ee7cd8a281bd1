"""When to start a run, and whether to pause it: the answer of `simulator when`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from energy.arithmetic import multiply
from energy.errors import InputError, MissingDataError
from energy.facts import grid
from energy.facts.grid_series import Array, Series, read_series
from energy.quantity import Quantity
from energy.units import J_PER_KWH, S_PER_DAY, S_PER_HOUR
from simulator.kit.answer import Answer
from simulator.questions.when.curtailment import NO_CURTAILMENT, Curtailment, Mask
from simulator.questions.when.starts import (
    Load,
    Outcomes,
    best_threshold,
    long_enough,
    outcomes,
    starts,
)
from simulator.runs.failures import failure_inputs
from simulator.runs.jobs import Job, requested_job
from simulator.scenarios.request import Target, several

NO_ZONE = Quantity.absent("g/kWh", "no zone was named (--zone)")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a schedule may do.

    Attributes:
        every_s: seconds between the starts to try.
        stretch: longest time from start to end over that without pauses; 1 for no pauses.
        threshold: intensity above which the run pauses, g/kWh; None for the best one.
        curtailment: times in which the site may not draw power.
        repeat: whether the series may be repeated after its end.
    """

    every_s: float = S_PER_DAY
    stretch: float = 1.0
    threshold: float | None = None
    curtailment: Curtailment = NO_CURTAILMENT
    repeat: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.stretch < 100:
            raise InputError("expected --stretch from 1 (no pauses) to 100", f"{self.stretch:g}")
        if self.threshold is not None and not self.threshold > 0:
            raise InputError("expected --threshold above 0 g/kWh", f"{self.threshold:g}")


@dataclass(frozen=True, kw_only=True, repr=False)
class Schedule(Answer):
    """A run against a grid series.

    Attributes:
        job: the run; its time and watts are known.
        series: the grid intensity as it was read.
        options: what the schedule may do.
        load: the run as the grid sees it, at the middle of its bands.
        energy_j: facility joules without pauses.
        assumed: what is assumed of a pause, by the names of `failures.toml`.
        steady: each start without pauses other than curtailment.
        paused: each start with pauses; None without pauses, or if no start ends within the series.
        threshold: intensity above which it pauses, g/kWh; infinite if pausing never helps.
        curtailed_s: seconds of the series in which the site may not draw power.
        zone_factor: flat factor of a zone in g/kWh; missing where no zone was named.
    """

    job: Job
    series: Series
    options: Options
    load: Load
    energy_j: Quantity
    assumed: dict[str, Quantity]
    steady: Outcomes
    paused: Outcomes | None
    threshold: float
    curtailed_s: float
    zone_factor: Quantity

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.job.name

    @property
    def left_open(self) -> str:
        """What was assumed of the run."""
        return self.job.left_open

    @property
    def headline(self) -> str:
        """How much less the best start emits than the flat factor says."""
        steady, paused, flat_g = self.steady, self.paused, self.flat_g
        saved = 1 - float(steady.co2_g[steady.best]) / flat_g if flat_g else 0.0
        text = (
            f"{self.name}: the best of {len(steady.starts_s):,} starts "
            f"({minute(float(steady.starts_s[steady.best]))}) emits {difference(saved)} than the "
            "flat factor"
        )
        if paused is not None and flat_g:
            text += f"; with pauses {difference(1 - float(paused.co2_g[paused.best]) / flat_g)}"
        return text

    @property
    def delay_s(self) -> float:
        """Seconds that pauses may cost."""
        return _delay_s(self.load, self.options)

    @property
    def flat_g(self) -> float:
        """Grams at the mean of the series, which a flat factor would give."""
        return self.load.power_w * self.load.work_s / J_PER_KWH * self.series.mean_g_per_kwh

    @property
    def zone_g(self) -> Quantity:
        """Grams at the flat factor of the zone."""
        return multiply(self.energy_j, self.zone_factor, "g").scaled(1 / J_PER_KWH)

    @property
    def co2_band(self) -> tuple[float, float]:
        """Low and high end of the grams over their middle, from the band of the energy."""
        value, low, high = self.energy_j.numbers()
        return low / value, high / value

    def variation(self) -> tuple[float, float]:
        """Relative standard deviation of the intensity: of the series, and between starts.

        From one start to another the intensity differs less, as it is averaged over the run.
        """
        weights = np.diff(self.series.edges_s)
        mean = self.series.mean_g_per_kwh
        if mean == 0:
            return 0.0, 0.0
        spread = float(np.sqrt(np.average((self.series.g_per_kwh - mean) ** 2, weights=weights)))
        grams = self.steady.co2_g[np.isfinite(self.steady.co2_g)]
        between_starts = float(np.std(grams)) / float(np.mean(grams)) if np.any(grams) else 0.0
        return spread / mean, between_starts


def difference(saved: float) -> str:
    """A share that is saved, or emitted in addition: "1.2% less", "0.3% more"."""
    return f"{abs(saved):.1%} {'more' if saved < 0 else 'less'}"


def when(
    series: Series | str | Path,
    target: Target | None = None,
    *,
    days: float | None = None,
    mw: float | None = None,
    every: float = 24.0,
    stretch: float = 1.1,
    threshold: float | None = None,
    curtail: str | Sequence[str] = (),
    repeat: bool = False,
    timezone: str | None = None,
    zone: str | None = None,
    paused_share: float | None = None,
    resume: float | None = None,
    basis: str = "auto",
    overrides: Mapping[str, Any] | None = None,
) -> Schedule:
    """When to start a run and whether to pause it, on a grid series, against its flat factor.

        when("grid-2025.csv", "glam-64b-64e", stretch=1.2, zone="US")
        when("grid-2025.csv", days=21, mw=4, curtail=["17:00-21:00"], repeat=True)

    Args:
        series: grid intensity, or the path of a CSV file of it (`read_series`).
        target: a scenario, a preset, a model of the catalog, or the path of a scenario file.
        days: without a scenario, days of the run.
        mw: without a scenario, megawatts of the facility.
        every: hours between the starts to try.
        stretch: longest time from start to end over that without pauses; 1 for no pauses.
        threshold: intensity above which the run pauses, g/kWh; the best one by default.
        curtail: times without power: "17:00-21:00", "2025-07-01T17:00/2025-07-01T21:00".
        repeat: whether the series may be repeated after its end.
        timezone: of times without an offset, in the file and in curtail; UTC by default.
        zone: grid zone whose flat factor is shown too.
        paused_share: watts while paused over watts while running.
        resume: seconds to resume after a pause.
        basis: auto, published or predicted: where time and watts of a scenario come from.
        overrides: values of the scenario by dotted key.

    Raises:
        InputError: a value is not valid, or a line of the series is not.
        MissingDataError: time or watts of the run are missing, or it is longer than the series.
    """
    job = requested_job(
        target, days=days, mw=mw, basis=basis, overrides=overrides, without_failures=False
    )
    return schedule(
        job,
        series if isinstance(series, Series) else read_series(Path(series), timezone=timezone),
        Options(
            every_s=every * S_PER_HOUR,
            stretch=stretch,
            threshold=threshold,
            curtailment=Curtailment.of(several(curtail), timezone),
            repeat=repeat,
        ),
        zone_factor=NO_ZONE if zone is None else grid.zone(zone).g_per_kwh,
        values={"spare_share": paused_share, "restart_s": resume},
    )


def schedule(
    job: Job,
    series: Series,
    options: Options,
    *,
    zone_factor: Quantity = NO_ZONE,
    values: Mapping[str, float | None] | None = None,
) -> Schedule:
    """Schedule a run on a grid series.

    Args:
        job: what is trained.
        series: grid intensity.
        options: what the schedule may do.
        zone_factor: flat factor of a zone, g/kWh; missing without a zone.
        values: exact values for assumptions of `failures.toml`: spare_share, restart_s.

    Raises:
        InputError: a value is out of its range.
        MissingDataError: time or watts of the run are missing, or it is longer than the series.
    """
    assumed = failure_inputs(values or {})
    load = _load(job, assumed)
    tried_s = starts(series, options.every_s)
    longer = options.curtailment.cut(
        long_enough(series, load.work_s * options.stretch, options.repeat)
    )
    off = options.curtailment.mask(longer)
    steady = outcomes(longer, load, tried_s, curtailed=off)
    if steady.none_ends:
        raise MissingDataError(
            "expected a series that is long enough for the run with its curtailed hours",
            series.source,
            "use a longer one, or repeat it with --repeat",
        )
    threshold, paused = _with_pauses(longer, load, tried_s, off, options)
    inside = longer.edges_s[1:] <= series.edges_s[-1] + 1e-6
    return Schedule(
        job=job,
        series=series,
        options=options,
        load=load,
        energy_j=multiply(job.training_s, job.power_w, "J"),
        assumed={name: assumed[name] for name in ("spare_share", "restart_s")},
        steady=steady,
        paused=paused,
        threshold=threshold,
        curtailed_s=float(np.sum(np.diff(longer.edges_s)[off & inside])),
        zone_factor=zone_factor,
    )


def minute(seconds: float) -> str:
    """A time as date and minute, UTC.

    Args:
        seconds: since 1970.
    """
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _load(job: Job, assumed: Mapping[str, Quantity]) -> Load:
    """The run as the grid sees it.

    Raises:
        MissingDataError: its time or its watts are missing.
    """
    if job.training_s.value is None or job.power_w.value is None:
        raise MissingDataError(
            "expected the time and the watts of the run",
            "one of them missing",
            "name --days and --mw",
        )
    return Load(
        work_s=job.training_s.value,
        power_w=job.power_w.value,
        paused_share=assumed["spare_share"].numbers()[0],
        resume_s=assumed["restart_s"].numbers()[0],
    )


def _with_pauses(
    series: Series, load: Load, starts_s: Array, off: Mask, options: Options
) -> tuple[float, Outcomes | None]:
    """The threshold of pauses and each start with them; None where no start ends in the series."""
    if options.stretch <= 1:
        return np.inf, None
    delay_s = _delay_s(load, options)
    threshold = options.threshold or best_threshold(series, load, starts_s, delay_s, off)
    paused = outcomes(series, load, starts_s, threshold=threshold, delay_s=delay_s, curtailed=off)
    return threshold, None if paused.none_ends else paused


def _delay_s(load: Load, options: Options) -> float:
    """Seconds that pauses may cost."""
    return (options.stretch - 1) * load.work_s
