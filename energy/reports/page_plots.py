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
from energy.reports import plot_titles as titles
from energy.reports.runs import Run

Picture = tuple[str, str, str]
"""Title, caption, SVG."""


def pictures(runs: Sequence[Run]) -> list[Picture]:
    """The figures of some runs that have data; runs with experts have one of their load each."""
    figures = [
        _picture(
            titles.of_losses,
            "Thin: one batch, circle: validation. Solid: mixture of experts; dashed: dense.",
            plots.loss_against_energy,
            runs,
            (7, 4),
        ),
        _picture(
            titles.of_predictions,
            "Predicted before the run began; 1 is perfect. Where both sides are modelled, an "
            "agreement in joules says nothing about the true power.",
            plots.measured_against_predicted,
            runs if not all(run.measured for run in runs) else (),
            (7, 4),
        ),
        _picture(
            titles.of_power,
            "From the raw counters of the ledger.",
            plots.power_over_time,
            runs,
            (7, 3),
        ),
        _picture(
            titles.of_parts,
            "Predicted FLOP and modelled joules by part of the training step.",
            plots.parts,
            runs,
            (7, 3.4),
        ),
    ]
    for run in runs:
        if run.measured and run.sparse and any(row.get("expert_load") for row in run.metrics):
            svg = _svg(partial(plots.expert_load, run), (7, 3.6))
            caption = "Load of each expert over training; 1 is an even share, 0 an idle expert."
            figures.append((titles.of_experts(run), caption, svg))
    for run in runs:
        if any(rank.waiting_s.value for rank in run.record.ranks):
            svg = _svg(partial(plots.waiting, run.record.ranks), (7, 3))
            caption = "Time of the steps that all ranks did: work, and waiting for the slowest."
            title = titles.of_waiting(run.record.name, run.record.ranks)
            figures.append((title, caption, svg))
    return [figure for figure in figures if figure[-1]]


def _picture(
    title: Callable[[Sequence[Run]], str],
    caption: str,
    draw: Callable[[Sequence[Run], Axes], Axes],
    runs: Sequence[Run],
    size: tuple[float, float],
) -> Picture:
    svg = _svg(partial(draw, runs), size)
    return (title(runs) if svg else "", caption, svg)


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
