"""Pictures for whoever builds the site: the front of choices, and the load that they draw."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from energy.plots import DENSE, SPARSE
from simulator.pareto import OBJECTIVES, Pareto
from simulator.plots import Panel, log_x

MARKS = "osD^vP*X"
AXES = {
    "weeks": "time of the run / weeks", "mwh": "facility energy / MWh", "co2": "CO2e, gross / t",
    "usd": "money / USD",
}  # fmt: skip


def front(found: Pareto) -> list[Panel]:
    """A panel for each objective against time; the first, energy, says what the marks mean."""
    return [partial(against_time, found, name) for name in found.objectives if name != "weeks"]


def against_time(found: Pareto, name: str, axes: Axes) -> Axes:
    """One objective against time: the front with bands and numbers, what it beats small and pale.

    Blue is a mixture of experts, orange a dense model; each kind of chip has its own mark.
    """
    chips = list(dict.fromkeys(cell.scenario.hardware.chip or "" for cell in found.cells))
    column = list(OBJECTIVES).index(name)
    for cell in found.cells:
        axes.plot(cell.costs[:, 0], cell.costs[:, column], linestyle="none", markersize=3.5,
                  marker=MARKS[chips.index(cell.scenario.hardware.chip or "") % len(MARKS)],
                  color=_color(cell.sparse), markerfacecolor="white", alpha=0.55)  # fmt: skip
    for number, choice in enumerate(found.choices, 1):
        (x, left, right), (y, low, high) = (choice.quantities[key].numbers()
                                            for key in ("weeks", name))  # fmt: skip
        chip = choice.cell.scenario.hardware.chip or ""
        axes.errorbar(x, y, xerr=[[x - left], [right - x]], yerr=[[y - low], [high - y]],
                      color=_color(choice.cell.sparse), markersize=9, elinewidth=0.8, capsize=2,
                      marker=MARKS[chips.index(chip) % len(MARKS)], ecolor="#888888",
                      markeredgecolor="black")  # fmt: skip
        axes.annotate(str(number), (x, y), color="white", ha="center", va="center",
                      fontsize=6.5, fontweight="bold", zorder=5)  # fmt: skip
    if name == "mwh":
        _keys(found, chips, axes)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=_steps(axes.get_ylim())))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.12g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(AXES["weeks"])
    axes.set_ylabel(AXES[name])
    axes.grid(alpha=0.3)
    return log_x(axes)


def _keys(found: Pareto, chips: Sequence[str], axes: Axes) -> None:
    """What colours and marks say."""
    kinds = dict.fromkeys((cell.model, cell.sparse) for cell in found.cells)
    for model, sparse in kinds:
        axes.plot([], [], linestyle="none", marker="s", markersize=7, color=_color(sparse),
                  label=f"{model} ({'MoE' if sparse else 'dense'})")  # fmt: skip
    for number, chip in enumerate(chips):
        axes.plot([], [], linestyle="none", marker=MARKS[number % len(MARKS)], color="#555555",
                  markerfacecolor="white", label=chip)  # fmt: skip
    axes.errorbar([], [], xerr=[], yerr=[], color="white", ecolor="#888888", marker="o",
                  markersize=9, markerfacecolor="#555555", capsize=2,
                  label="on the front, with 80 % band")  # fmt: skip
    axes.plot([], [], linestyle="none", marker="o", markersize=3.5, color="#555555",
              markerfacecolor="white", alpha=0.55, label="best of its chips, beaten")  # fmt: skip
    axes.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.01, 0.5))


def _steps(limits: tuple[float, float]) -> Sequence[float]:
    """Multiples of a power of ten that fit on an axis without running into each other."""
    decades = float(np.log10(limits[1] / limits[0]))
    return (1.0,) if decades > 3 else (1.0, 3.0) if decades > 1 else (1.0, 2.0, 3.0, 5.0)


def _color(sparse: bool) -> str:
    return SPARSE if sparse else DENSE
