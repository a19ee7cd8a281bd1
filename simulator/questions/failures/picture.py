"""The pictures of `simulator failures`."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from simulator.kit.style import ANSWER, REFERENCE, banded, ends, finish, log_x
from simulator.physics.failures import Failures
from simulator.runs.failures import Losses


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


def _goodput_axis(axes: Axes) -> Axes:
    axes.set_ylabel("goodput / 1\n(training over elapsed time)")
    axes.set_ylim(0, 1)
    return finish(log_x(axes))
