"""The picture of `simulator serve --sweep`: joules against latency, the knee named."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.axes import Axes

from simulator.kit.style import ANSWER, BAND, LOST, Panel, finish, log_x, log_y
from simulator.questions.serve.batches import Batches


def panels(answer: Batches) -> list[Panel]:
    """One panel: a point for each batch."""
    return [partial(joules_against_latency, answer)]


def joules_against_latency(answer: Batches, axes: Axes) -> Axes:
    """Joules of a token over the time between tokens; chip-seconds where there are no watts."""
    latency = 1e3 * answer.latency
    known = bool(np.all(np.isfinite(answer.joules)))
    values = answer.joules
    if not known:
        values = answer.request.chips / np.asarray(answer.served.tokens_per_s)
    low, high = answer.band("j_per_token")
    axes.fill_between(
        latency, values * (1 + low), values * (1 + high), color=BAND, label="80 % band"
    )
    axes.plot(latency, values, "o-", color=ANSWER, markersize=4, label="predicted, by batch")
    for place, batch in enumerate(answer.batches):
        if place % 2 == 0 or place == answer.knee:
            axes.annotate(
                f"{batch:,.0f}",
                (latency[place], values[place]),
                (4, 5),
                fontsize="small",
                textcoords="offset points",
            )
    place = answer.knee
    axes.plot(
        latency[place],
        values[place],
        "D",
        color=LOST,
        markersize=8,
        label=f"knee: a batch of {answer.batches[place]:,.0f}",
    )
    axes.set_xlabel(f"time between tokens / ms ({answer.name})")
    axes.set_ylabel("joules of a token, chips / J" if known else "chip-seconds of a token / s")
    return finish(log_y(log_x(axes)))
