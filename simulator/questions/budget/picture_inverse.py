"""The picture of `simulator inverse`: how much of each budget is used."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from matplotlib.axes import Axes

from energy.units import significant
from simulator.kit.style import (
    ANSWER,
    FACTOR,
    REFERENCE,
    Panel,
    legend_below,
    named_rows,
    whiskers,
)
from simulator.questions.budget.inverse import WithinBudget
from simulator.runs.spend import NAMES


def panels(answer: WithinBudget) -> Sequence[Panel]:
    """The budgets."""
    return [partial(budgets_used, answer)]


def budgets_used(answer: WithinBudget, axes: Axes) -> Axes:
    """The part of each budget that the largest run uses, with its band."""
    known = answer.run.spend.by_budget()
    names = []
    for place, (name, limit) in enumerate(answer.budgets.items()):
        value, low, high = (100 * number / limit for number in known[name].numbers())
        binds = name == answer.binding
        axes.barh(
            place,
            value,
            color=ANSWER if binds else FACTOR,
            hatch="" if binds else "//",
            edgecolor="white",
            height=0.6,
        )
        whiskers(axes, place, value, low, high)
        names.append(
            f"{NAMES[name]}: {significant(limit)} {known[name].unit}"
            + ("\n(binds)" if binds else "")
        )
    axes.axvline(100, color=REFERENCE, linestyle="--", linewidth=1, label="the whole budget")
    axes.set_xlabel("used of the budget / % (bar: middle; whisker: 80 % band)")
    return legend_below(named_rows(axes, names))
