"""The pictures of `simulator when`: CO2e by start, and what pauses save."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from energy.units import G_PER_T, S_PER_DAY
from simulator.kit.style import ANSWER, BAND, REFERENCE, Panel, finish
from simulator.questions.when.answer import Schedule
from simulator.questions.when.starts import least_co2_g

STRETCHES = np.array([1.0, 1.02, 1.05, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0])

LEAST_STARTS = 60
"""Starts that are tried for each stretch: at least so many, where the series has them."""


def panels(schedule: Schedule) -> Sequence[Panel]:
    """CO2e by start, then what pauses save by how much longer they may make the run."""
    return [partial(co2_by_start, schedule), partial(saving_by_stretch, schedule)]


def co2_by_start(schedule: Schedule, axes: Axes) -> Axes:
    """Tonnes of CO2e against the start, with and without pauses, beside the flat factor."""
    dates: Any = schedule.steady.starts_s.astype("datetime64[s]")
    tonnes, flat_t = schedule.steady.co2_g / G_PER_T, schedule.flat_g / G_PER_T
    low, high = schedule.co2_band
    if low < high:
        axes.fill_between(
            dates, tonnes * low, tonnes * high, color=BAND, label="80 % band of the run's energy"
        )
    axes.plot(dates, tonnes, color=ANSWER, linewidth=2, label="started on that day")
    if schedule.paused is not None and np.isfinite(schedule.threshold):
        axes.plot(
            dates,
            schedule.paused.co2_g / G_PER_T,
            color=ANSWER,
            linestyle=":",
            linewidth=2,
            label=f"with pauses above {schedule.threshold:.3g} g/kWh",
        )
    axes.axhline(
        flat_t,
        color=REFERENCE,
        linestyle="--",
        linewidth=1,
        label="flat factor: mean of the series",
    )
    axes.set_ylim(0, 1.05 * max(axes.dataLim.ymax, flat_t) or 1.0)
    days = schedule.load.work_s / S_PER_DAY
    axes.set_xlabel(f"start of {days:.3g} days of work / date (UTC)")
    axes.set_ylabel("CO2e of the run / t")
    return finish(axes)


def saving_by_stretch(schedule: Schedule, axes: Axes) -> Axes:
    """What pauses save at best, against how much longer they may make the run."""
    starts_s = schedule.steady.starts_s
    some_starts_s = starts_s[:: max(1, len(starts_s) // LEAST_STARTS)]
    free = replace(schedule.load, paused_share=0.0, resume_s=0.0)
    saved = [
        100 * (1 - least_co2_g(schedule.series, load, some_starts_s, STRETCHES) / schedule.flat_g)
        for load in (schedule.load, free)
    ]
    axes.plot(
        STRETCHES,
        saved[0],
        "o-",
        color=ANSWER,
        linewidth=2,
        label="best start without curtailment; the band of the energy cancels out",
    )
    axes.plot(
        STRETCHES,
        saved[1],
        "o:",
        color=ANSWER,
        linewidth=1,
        markerfacecolor="white",
        label="the same if pauses took neither power nor time to resume",
    )
    axes.axhline(0, color=REFERENCE, linestyle="--", linewidth=1, label="flat factor")
    axes.set_ylim(min(0.0, 1.1 * float(np.min(saved))) - 1, max(20.0, 1.1 * float(np.max(saved))))
    axes.set_xlabel("longest time from start to end, over the time without pauses / 1")
    axes.set_ylabel("CO2e saved against the flat factor / %")
    return finish(axes)
