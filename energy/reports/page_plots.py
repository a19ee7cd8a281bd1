"""The figures of a report page as inline SVG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import matplotlib

matplotlib.use("svg")

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from energy.reports import picture, plots
from energy.reports.runs import Run

Picture = tuple[str, str, str]
"""Title, caption, SVG."""


def pictures(runs: Sequence[Run]) -> list[Picture]:
    """The figures of some runs; runs with experts get one of their expert load each."""
    figures = [
        (
            "Loss against joules",
            "Which model reaches a loss with fewer joules. Solid: mixture of experts; dashed: its "
            "dense counterpart with the same active parameters.",
            _svg(lambda axes: plots.loss_against_energy(runs, axes), (7, 4)),
        ),
        (
            "Measured against predicted",
            "Each prediction was written before its run began; 1 is perfect. Where both sides are "
            "modelled, agreement in joules says nothing about the true power.",
            _svg(lambda axes: plots.measured_against_predicted(runs, axes), (7, 4))
            if not all(run.measured for run in runs)
            else "",
        ),
        (
            "Power over time",
            "From the raw counters of the ledger.",
            _svg(lambda axes: plots.power_over_time(runs, axes), (7, 3)),
        ),
        (
            "Where FLOP and joules go",
            "Predicted work and modelled joules by part of the training step.",
            _svg(lambda axes: plots.parts(runs, axes), (7, 3.2)),
        ),
    ]
    for run in runs:
        if run.measured and run.sparse and run.metrics:
            svg = _svg(partial(plots.expert_load, run), (7, 3.6))
            caption = "Load of each expert over training; 1 is an even share, 0 an idle expert."
            figures.append((f"Expert load of {run.record.name}", caption, svg))
    for run in runs:
        if any(rank.waiting_s.value for rank in run.record.ranks):
            svg = _svg(partial(plots.waiting, run.record.ranks), (7, 3))
            caption = "Time of the steps that all ranks did: work, and waiting for the slowest."
            figures.append((f"Who waits in {run.record.name}", caption, svg))
    return [figure for figure in figures if figure[-1]]


def _svg(draw: Callable[[Axes], Axes], size: tuple[float, float]) -> str:
    """A figure as an SVG element, whose text stays text; empty for one without data."""
    settings: Any = picture.PLAIN_NAMES | {
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=size, layout="constrained")
        if not draw(figure.subplots()).has_data():
            return ""
        svg = picture.svg(figure)
    return svg[svg.index("<svg") :]
