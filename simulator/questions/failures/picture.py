"""The pictures of `simulator failures`: goodput by checkpoint interval and by size of the job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from matplotlib.axes import Axes

from simulator.kit.style import ANSWER, REFERENCE, Panel, banded, ends, finish, log_x
from simulator.runs.failures import FailureCosts


def panels(costs: FailureCosts) -> Sequence[Panel]:
    """Goodput against the checkpoint interval, then against the number of chips."""
    return [partial(goodput_by_interval, costs), partial(goodput_by_chips, costs)]


def goodput_by_interval(costs: FailureCosts, axes: Axes) -> Axes:
    """Goodput against the checkpoint interval, with the best interval by each method."""
    intervals = np.geomspace(costs.interval_s / 10, costs.interval_s * 10, 81)
    banded(
        axes,
        intervals / 60,
        np.asarray(costs.middle.goodput(intervals)),
        [ends(costs.draws.goodput(interval)) for interval in intervals],
    )
    for (method, interval_s), line in zip(
        costs.intervals_s.items(), (":", "-.", "--"), strict=True
    ):
        axes.axvline(
            interval_s / 60,
            color=REFERENCE,
            linestyle=line,
            linewidth=1,
            label=f"best, {method}: {interval_s / 60:.3g} min",
        )
    axes.plot(
        costs.interval_s / 60,
        costs.goodput.numbers()[0],
        "o",
        color=ANSWER,
        label=f"used here: {costs.interval_s / 60:.3g} min",
    )
    axes.set_xlabel(f"training between checkpoints / min ({costs.middle.spares} spares)")
    return _goodput_axis(axes)


def goodput_by_chips(costs: FailureCosts, axes: Axes) -> Axes:
    """Goodput against the size of the job, each size with its best interval and no waiting."""
    chips = np.unique(np.geomspace(max(1, costs.job.chips / 64), costs.job.chips * 8, 41).round())
    middles, bands = [], []
    for count in chips:
        middle, draws = (
            replace(failures, chips=int(count), repair_s=0.0)
            for failures in (costs.middle, costs.draws)
        )
        interval_s = max(1.0, float(middle.best_interval_s()))
        middles.append(float(middle.goodput(interval_s)))
        bands.append(ends(draws.goodput(interval_s)))
    banded(axes, chips, np.asarray(middles), bands)
    axes.axvline(costs.job.chips, color=REFERENCE, linestyle="--", linewidth=1, label="this job")
    axes.set_xlabel("chips of the job / 1 (best interval for each, enough spares)")
    return _goodput_axis(axes)


def _goodput_axis(axes: Axes) -> Axes:
    axes.set_ylabel("goodput / 1\n(training over elapsed time)")
    axes.set_ylim(0, 1)
    return finish(log_x(axes))
