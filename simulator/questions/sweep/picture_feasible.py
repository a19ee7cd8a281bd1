"""Pictures of configurations against a site's limits: what keeps to them, and what breaks them."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from energy.quantity import Quantity
from simulator.kit.style import FACTOR, REFERENCE, Panel, log_x, log_y
from simulator.questions.sweep.cells import MEASURES, Array, Cell, Chosen
from simulator.questions.sweep.feasible import Feasible
from simulator.questions.sweep.held import Held
from simulator.questions.sweep.limits import DAYS_A_WEEK
from simulator.questions.sweep.page_feasible import MOST_ROWS
from simulator.questions.sweep.picture_pareto import AXES, keys, numbered, pale

LABELS = AXES | {"mw": "mean facility power / MW", "chips": "chips of the run / 1"}


def against_limits(found: Feasible) -> list[Panel]:
    """A panel for each limit against time; energy where only time is limited."""
    names = [name for name in found.limits.most if name != "days"] or ["mwh"]
    return [partial(against_time, found, name, name == names[0]) for name in names]


def against_time(found: Feasible, name: str, explained: bool, axes: Axes) -> Axes:
    """What a limit is about against time, with both limits and all that lies beyond them hatched.

    Numbered are the configurations of the page, with their bands; of the other cells the plan that
    is nearest to the limits is small and pale. Blue is a mixture of experts, orange a dense model.

    Args:
        found: the answer.
        name: of a limit, or "mwh".
        explained: the panel says what colours and marks mean.
        axes: to draw on.
    """
    cells = [one.cell for one in found.held]
    for one in found.held:
        if not one.keeping:
            nearest = _nearest(one)
            days = DAYS_A_WEEK * one.cell.costs[nearest, 0]
            pale(axes, days, _amounts(one.cell, name)[nearest], cells, one.cell)
    for number, choice in enumerate(found.told[:MOST_ROWS], 1):
        numbered(
            axes,
            number,
            choice.spend.by_budget()["days"],
            _amount(choice, name),
            cells,
            choice.cell,
        )
    log_x(log_y(axes))
    _hatched(found, name, axes)
    if explained:
        told = "keeps to every limit" if found.keepers else "would with the least relaxation"
        keys(axes, cells, f"{told}, with 80 % band", "nearest of its chips, breaks a limit")
    axes.set_xlabel(f"time of the run from {found.limits.start} / d")
    axes.set_ylabel(LABELS[name])
    axes.grid(alpha=0.3)
    return axes


def _hatched(found: Feasible, name: str, axes: Axes) -> None:
    """The limits of both axes, with a margin that shows them, and what lies beyond."""
    most = found.limits.most
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


def _nearest(held: Held) -> NDArray[np.int64]:
    """The plan of a cell that breaks fewest limits, and those least."""
    broken = np.array([number.bit_count() for number in held.broken])
    found: NDArray[np.int64] = np.lexsort((np.array(held.worst), broken))[:1]
    return found


def _amounts(cell: Cell, name: str) -> Array:
    if name == "chips":
        return np.full(len(cell.costs), float(cell.scenario.hardware.count))
    return np.asarray(cell.costs[:, list(MEASURES).index(name)])


def _amount(one: Chosen, name: str) -> Quantity:
    if name == "chips":
        return Quantity.exact(one.cell.scenario.hardware.count, "1", "scenario: hardware.count")
    return one.spend.by_budget()[name]
