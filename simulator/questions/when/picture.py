"""The pictures of `simulator when`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from energy.units import G_PER_T, S_PER_DAY
from simulator.kit.style import ANSWER, BAND, REFERENCE, finish
from simulator.questions.when.answer import Schedule, grams_by_stretch


def co2_by_start(found: Schedule, axes: Axes) -> Axes:
    """Tonnes of CO2e against the start, with and without pauses, beside the flat factor."""
    days: Any = found.plain.starts_s.astype("datetime64[s]")
    tonnes = found.plain.co2_g / G_PER_T
    low, high = found.co2_band
    if low < high:
        axes.fill_between(
            days, tonnes * low, tonnes * high, color=BAND, label="80 % band of the run's energy"
        )
    axes.plot(days, tonnes, color=ANSWER, linewidth=2, label="started on that day")
    if found.paused is not None and np.isfinite(found.threshold):
        axes.plot(
            days,
            found.paused.co2_g / G_PER_T,
            color=ANSWER,
            linestyle=":",
            linewidth=2,
            label=f"with pauses above {found.threshold:.3g} g/kWh",
        )
    axes.axhline(
        found.flat_g / G_PER_T,
        color=REFERENCE,
        linestyle="--",
        linewidth=1,
        label="flat factor: mean of the series",
    )
    axes.set_ylim(0, 1.05 * max(axes.dataLim.ymax, found.flat_g / G_PER_T) or 1.0)
    axes.set_xlabel("start of the run / date (UTC)")
    axes.set_ylabel("CO2e of the run / t")
    axes.set_title(f"{found.name}: {found.load.work_s / S_PER_DAY:.3g} days of work")
    return finish(axes)


def co2_by_stretch(found: Schedule, axes: Axes) -> Axes:
    """What pauses save at best, against how much longer they may make the run."""
    stretches = np.array([1.0, 1.02, 1.05, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0])
    free = replace(found.load, paused_share=0.0, resume_s=0.0)
    saved = [
        100 * (1 - grams_by_stretch(found, load, stretches) / found.flat_g)
        for load in (found.load, free)
    ]
    axes.plot(
        stretches,
        saved[0],
        "o-",
        color=ANSWER,
        linewidth=2,
        label="best start, no curtailment; the energy's band cancels",
    )
    axes.plot(
        stretches,
        saved[1],
        "o:",
        color=ANSWER,
        linewidth=1,
        markerfacecolor="white",
        label="the same if a pause cost nothing: no watts, no time",
    )
    axes.axhline(0, color=REFERENCE, linestyle="--", linewidth=1, label="flat factor")
    axes.set_ylim(min(0.0, 1.1 * float(np.min(saved))) - 1, max(20.0, 1.1 * float(np.max(saved))))
    axes.set_xlabel("longest time from start to end, over the time of the work / 1")
    axes.set_ylabel("CO2e saved against the flat factor / %")
    return finish(axes)
