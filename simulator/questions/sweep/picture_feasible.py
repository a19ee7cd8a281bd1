"""Pictures of configurations against a site's limits: what keeps to them, and what breaks them."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.axes import Axes

from energy.quantity import Quantity
from simulator.kit.style import FACTOR, REFERENCE, Panel, log_x, log_y
from simulator.questions.sweep.cells import MEASURES, Array, Cell, Configuration
from simulator.questions.sweep.feasible import MOST_ROWS, Feasible
from simulator.questions.sweep.limits import DAYS_A_WEEK
from simulator.questions.sweep.picture_pareto import AXES, keys, numbered, pale

LABELS = AXES | {"mw": "mean facility power / MW", "chips": "chips of the run / 1"}


def panels(answer: Feasible) -> list[Panel]:
    """A panel for each limit against time; energy where only time is limited."""
    names = [name for name in answer.limits.most if name != "days"] or ["mwh"]
    return [partial(against_time, answer, name, name == names[0]) for name in names]


def against_time(answer: Feasible, name: str, explained: bool, axes: Axes) -> Axes:
    """The quantity of a limit against time; what lies beyond a limit is hatched.

    The configurations of the page are numbered, with their bands; of the other cells the plan
    nearest to the limits is small and pale. Blue is a mixture of experts, orange a dense model.

    Args:
        answer: of the question.
        name: of a limit, or "mwh".
        explained: the panel has the legend of colors and marks.
        axes: to draw on.
    """
    cells = [grouped.cell for grouped in answer.cells]
    for grouped in answer.cells:
        if not grouped.keeping:
            cell, nearest = grouped.cell, [grouped.nearest]
            days = DAYS_A_WEEK * cell.costs[nearest, 0]
            pale(axes, days, _amounts(cell, name)[nearest], cells, cell)
    for number, choice in enumerate(answer.configurations[:MOST_ROWS], 1):
        numbered(
            axes,
            number,
            choice.spend.by_budget()["days"],
            _amount(choice, name),
            cells,
            choice.cell,
        )
    log_x(log_y(axes))
    _hatched(answer, name, axes)
    if explained:
        what = "keeps to every limit" if answer.keepers else "would with the least relaxation"
        keys(axes, cells, f"{what}, with 80 % band", "nearest of its chips, breaks a limit")
    axes.set_xlabel(f"time of the run from {answer.limits.start} / d")
    axes.set_ylabel(LABELS[name])
    axes.grid(alpha=0.3)
    return axes


def _hatched(answer: Feasible, name: str, axes: Axes) -> None:
    """The limits of both axes, with a margin that shows them, and what lies beyond."""
    most = answer.limits.most
    for limit, low_high, span, line, grow in (
        (most.get("days"), axes.get_xlim(), axes.axvspan, axes.axvline, axes.set_xlim),
        (most.get(name), axes.get_ylim(), axes.axhspan, axes.axhline, axes.set_ylim),
    ):
        if limit is None:
            continue
        low, high = min(low_high[0], limit / 1.5), max(low_high[1], limit * 1.5)
        grow(low, high)
        span(
            limit,
            high,
            facecolor="none",
            edgecolor=FACTOR,
            hatch="///",
            linewidth=0,
            alpha=0.5,
            zorder=0,
        )
        line(limit, color=REFERENCE, linestyle="--", linewidth=1)
    axes.plot(
        [], [], color=REFERENCE, linestyle="--", linewidth=1, label="limit; hatched: beyond it"
    )


def _amounts(cell: Cell, name: str) -> Array:
    if name == "chips":
        return np.full(len(cell.costs), float(cell.scenario.hardware.count))
    return np.asarray(cell.costs[:, list(MEASURES).index(name)])


def _amount(configuration: Configuration, name: str) -> Quantity:
    if name == "chips":
        chips = configuration.cell.scenario.hardware.count
        return Quantity.exact(chips, "1", "scenario: hardware.count")
    return configuration.spend.by_budget()[name]
