"""Pictures of what a run is exposed to: failures, the hour that it starts, the place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from energy.quantity import Quantity
from energy.units import G_PER_T, S_PER_DAY
from simulator.failures import Failures
from simulator.losses import Losses
from simulator.plots import (
    ANSWER,
    BAND,
    REFERENCE,
    banded,
    ends,
    finish,
    legend_below,
    log_x,
    named_rows,
    whiskers,
)
from simulator.regions import Moved, Place
from simulator.schedule import Schedule, grams_by_stretch

MOST_PLACES = 40
"""Rows that a picture of places has."""


def goodput_by_interval(found: Losses, axes: Axes) -> Axes:
    """Goodput against the checkpoint interval, with band and the best interval by each method."""
    intervals = np.geomspace(found.interval_s / 10, found.interval_s * 10, 81)
    drawn = found.drawn()
    banded(
        axes,
        intervals / 60,
        np.asarray(found.middle.goodput(intervals)),
        [ends(drawn.goodput(interval)) for interval in intervals],
    )
    styles = zip(found.intervals_s.items(), (":", "-.", "--"), strict=True)
    for (name, interval_s), line in styles:
        axes.axvline(
            interval_s / 60,
            color=REFERENCE,
            linestyle=line,
            linewidth=1,
            label=f"best, {name}: {interval_s / 60:.3g} min",
        )
    axes.plot(
        found.interval_s / 60,
        found.goodput.numbers()[0],
        "o",
        color=ANSWER,
        label=f"used here: {found.interval_s / 60:.3g} min",
    )
    axes.set_xlabel("training between checkpoints / min")
    axes.set_title(f"{found.job.name}: {found.job.chips:,} chips, {found.middle.spares} spares")
    return _goodput_axis(axes)


def goodput_by_chips(found: Losses, axes: Axes) -> Axes:
    """Goodput against the size of the job, each size with its best interval and no waiting."""
    chips = np.unique(np.geomspace(max(1, found.job.chips / 64), found.job.chips * 8, 41).round())
    middle, both = [], []
    for count in chips:
        sized = [
            Failures(**{**vars(one), "chips": int(count), "repair_s": 0.0})
            for one in (found.middle, found.drawn(1000))
        ]
        interval_s = max(1.0, float(sized[0].best_interval_s()))
        middle.append(float(sized[0].goodput(interval_s)))
        both.append(ends(sized[1].goodput(interval_s)))
    banded(axes, chips, np.asarray(middle), both)
    axes.axvline(found.job.chips, color=REFERENCE, linestyle="--", linewidth=1, label="this job")
    axes.set_xlabel("chips of the job / 1 (best interval for each; spares enough)")
    return _goodput_axis(axes)


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


def _goodput_axis(axes: Axes) -> Axes:
    axes.set_ylabel("goodput / 1\n(training over elapsed time)")
    axes.set_ylim(0, 1)
    return finish(log_x(axes))


def grams_by_place(found: Sequence[Place], axes: Axes) -> Axes:
    """Grams of CO2e a kWh of each place with its band; net, where it is published, beside it."""
    _places(axes, [(place.id, place.location, place.market) for place in found], 1.0)
    axes.set_xlabel("CO2e of the grid / (g/kWh)" + _first(found))
    return axes


def run_by_place(name: str, found: Sequence[Moved], axes: Axes) -> Axes:
    """Tonnes of CO2e of a run at each place with their band; net, where it is published."""
    rows = [(one.place.id, one.record.co2_location_g, one.record.co2_market_g) for one in found]
    _places(axes, rows, G_PER_T)
    axes.set_xlabel(f"CO2e of {name} / t" + _first(found))
    return axes


def _places(axes: Axes, rows: Sequence[tuple[str, Quantity, Quantity]], scale: float) -> None:
    shown = rows[:MOST_PLACES]
    for place, (_, gross, net) in enumerate(shown):
        if gross.value is None:
            axes.text(0, place, " missing", va="center", fontsize="small")
        else:
            value, low, high = (number / scale for number in gross.numbers())
            axes.barh(
                place,
                value,
                color=ANSWER,
                height=0.75,
                label=None if place else "gross: average of the grid, with band",
            )
            whiskers(axes, place, value, low, high)
        if net.value is not None:
            axes.plot(net.value / scale, place, "^", color="white", markeredgecolor=REFERENCE)
    if any(net.value is not None for _, _, net in shown):
        axes.plot(
            [],
            [],
            "^",
            color="white",
            markeredgecolor=REFERENCE,
            label="net: after clean-energy purchases",
        )
    named_rows(axes, [name for name, _, _ in shown])
    axes.tick_params(axis="y", labelsize="small")
    legend_below(axes, drop=-2.4 / (len(shown) + 1))


def _first(found: Sequence[object]) -> str:
    """What an axis says where not all places are drawn."""
    many = len(found) > MOST_PLACES
    return f" (the first {MOST_PLACES} of {len(found)} places)" if many else ""
