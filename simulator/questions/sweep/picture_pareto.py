"""The pictures of `simulator pareto`: the front of each objective against time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from matplotlib.axes import Axes

from energy.colors import DENSE, INK, SPARSE, WHISKER
from energy.quantity import Quantity
from simulator.kit.sortable import MARK
from simulator.kit.style import Panel, legend_below, log_x, log_y
from simulator.questions.sweep.cells import Array, Cell
from simulator.questions.sweep.pareto import OBJECTIVES, Pareto

MARKS = "osD^vP*X"


AXES = {
    "weeks": "time of the run / weeks",
    "mwh": "facility energy / MWh",
    "co2": "CO2e, gross / t",
    "usd": "money / USD",
}


def panels(answer: Pareto) -> list[Panel]:
    """A panel for each objective against time; the first, energy, says what the marks mean."""
    return [partial(against_time, answer, name) for name in answer.objectives if name != "weeks"]


def against_time(answer: Pareto, name: str, axes: Axes) -> Axes:
    """One objective against time: the front with bands and numbers, what it beats small and pale.

    Blue is a mixture of experts, orange a dense model; each kind of chip has its own mark.
    """
    column = list(OBJECTIVES).index(name)
    for cell in answer.cells:
        pale(axes, cell.costs[:, 0], cell.costs[:, column], answer.cells, cell)
    for number, choice in enumerate(answer.choices, 1):
        both = [choice.quantities[key] for key in ("weeks", name)]
        numbered(axes, number, both[0], both[1], answer.cells, choice.cell)
    if name == "mwh":
        keys(axes, answer.cells, "on the front, with 80 % band", "best of its chips, beaten")
    axes.set_xlabel(AXES["weeks"])
    axes.set_ylabel(AXES[name])
    axes.grid(alpha=0.3)
    return log_x(log_y(axes))


def numbered(
    axes: Axes, number: int, x: Quantity, y: Quantity, cells: Sequence[Cell], cell: Cell
) -> None:
    """A configuration of the page, with its number there and its bands; the first lies on top."""
    (at, left, right), (up, low, high) = x.numbers(), y.numbers()
    axes.errorbar(
        at,
        up,
        xerr=[[at - left], [right - at]],
        yerr=[[up - low], [high - up]],
        fmt="none",
        ecolor=WHISKER,
        elinewidth=0.8,
        capsize=2,
    )
    level = 20 - 0.25 * number
    (mark,) = axes.plot(
        at,
        up,
        _mark(cells, cell),
        color=_color(cell.sparse),
        markersize=9,
        markeredgecolor="black",
        zorder=level,
    )
    # A page finds the row of a mark by its name.
    panel = axes.figure.axes.index(axes)
    mark.set_gid(f"{MARK}-{panel}-{number}")
    axes.annotate(
        str(number),
        (at, up),
        color="white" if cell.sparse else "black",
        ha="center",
        va="center",
        fontsize=6.5 if number < 10 else 5,
        fontweight="bold",
        zorder=level + 0.1,
    )


def pale(axes: Axes, x: Array, y: Array, cells: Sequence[Cell], cell: Cell) -> None:
    """Configurations that are not on the page."""
    axes.plot(
        x,
        y,
        linestyle="none",
        markersize=3.5,
        marker=_mark(cells, cell),
        color=_color(cell.sparse),
        markerfacecolor="white",
        alpha=0.8,
    )


def keys(axes: Axes, cells: Sequence[Cell], numbered: str, rest: str) -> None:
    """The legend of colors and marks.

    Args:
        axes: to draw on.
        cells: all of a search.
        numbered: what the numbered marks are.
        rest: what the pale marks are.
    """
    for model, sparse in dict.fromkeys((cell.model, cell.sparse) for cell in cells):
        axes.plot(
            [],
            [],
            linestyle="none",
            marker="s",
            markersize=7,
            color=_color(sparse),
            label=f"{model} ({'MoE' if sparse else 'dense'})",
        )
    for chip, cell in {cell.scenario.hardware.chip: cell for cell in cells}.items():
        axes.plot(
            [],
            [],
            linestyle="none",
            marker=_mark(cells, cell),
            color=INK,
            markerfacecolor="white",
            label=chip,
        )
    axes.errorbar(
        [],
        [],
        xerr=[],
        yerr=[],
        color="white",
        ecolor=WHISKER,
        marker="o",
        markersize=9,
        markerfacecolor=INK,
        capsize=2,
        label=numbered,
    )
    axes.plot(
        [],
        [],
        linestyle="none",
        marker="o",
        markersize=3.5,
        color=INK,
        markerfacecolor="white",
        alpha=0.8,
        label=rest,
    )
    legend_below(axes)


def _mark(cells: Sequence[Cell], cell: Cell) -> str:
    """The mark of a cell's kind of chip among those of a search."""
    chips = list(dict.fromkeys(each.scenario.hardware.chip for each in cells))
    return MARKS[chips.index(cell.scenario.hardware.chip) % len(MARKS)]


def _color(sparse: bool) -> str:
    return SPARSE if sparse else DENSE
