"""The picture of `simulator sweep`: time, energy and CO2e against the number of chips."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from energy.colors import DENSE, SPARSE, WHISKER
from simulator.kit.style import Panel, legend_below, log_y
from simulator.questions.sweep.fastest import Fastest, Sweep
from simulator.questions.sweep.picture_pareto import MARKS

LINES = ("-", "--", ":", "-.")

LABELS = {
    "time_h": "time of the run / h",
    "energy_mwh": "facility energy / MWh",
    "co2_t": "CO2e, gross / t",
    "cost_usd": "money / USD",
}

Series = list[Fastest]

SPREAD = 0.035
"""Part of its count by which a series is moved, so that bands do not cover each other."""


def panels(answer: Sweep) -> Sequence[Panel]:
    """A panel for each amount that is known everywhere; the last has the legend of all."""
    known = [
        name for name in LABELS if all(row.amounts[name].value is not None for row in answer.rows)
    ]
    return [partial(against_chips, answer, name, name == known[-1]) for name in known]


def against_chips(answer: Sweep, name: str, explained: bool, axes: Axes) -> Axes:
    """One amount of every choice against its number of chips, with its 80 % band.

    Blue is a mixture of experts, orange a dense model; a model has a line, a kind of chip a mark,
    and where places differ, each has its name at the end of its line.
    """
    several = _several(answer)
    drawn = _drawn(several, name)
    for place, series in enumerate(drawn):
        _draw(axes, series, name, several, 1 + SPREAD * (place - (len(drawn) - 1) / 2))
    _counts(axes, answer)
    axes.set_xlabel("chips of the run / 1")
    axes.set_ylabel(LABELS[name])
    axes.grid(alpha=0.3)
    log_y(axes)
    return legend_below(axes) if explained else axes


def _several(answer: Sweep) -> list[Series]:
    """Rows of one model, kind of chip and place, by their number of chips."""
    groups: dict[tuple[str, ...], Series] = {}
    for row in answer.rows:
        cell = row.cell
        key = (cell.model, str(cell.scenario.hardware.chip), cell.place)
        groups.setdefault(key, []).append(row)
    return [
        sorted(rows, key=lambda row: row.cell.scenario.hardware.count) for rows in groups.values()
    ]


def _drawn(several: list[Series], name: str) -> list[Series]:
    """The series without those that are the same as one of another place."""
    seen: dict[tuple[object, ...], Series] = {}
    for series in several:
        cell = series[0].cell
        values = (row.amounts[name].value for row in series)
        seen.setdefault((cell.model, cell.scenario.hardware.chip, *values), series)
    return list(seen.values())


def _draw(axes: Axes, series: Series, name: str, several: list[Series], moved: float) -> None:
    cell = series[0].cell
    chip, kind = cell.scenario.hardware.chip, "MoE" if cell.sparse else "dense"
    models = list(dict.fromkeys(each[0].cell.model for each in several))
    kinds = list(dict.fromkeys(each[0].cell.scenario.hardware.chip for each in several))
    counts = [moved * row.cell.scenario.hardware.count for row in series]
    numbers = [row.amounts[name].numbers() for row in series]
    axes.errorbar(
        counts,
        [value for value, _, _ in numbers],
        yerr=[[v - low for v, low, _ in numbers], [high - v for v, _, high in numbers]],
        color=SPARSE if cell.sparse else DENSE,
        ecolor=WHISKER,
        elinewidth=0.8,
        capsize=2,
        markersize=5,
        linestyle=LINES[models.index(cell.model) % len(LINES)],
        marker=MARKS[kinds.index(chip) % len(MARKS)],
        label=f"{cell.model} ({kind}) on {chip}",
    )
    if len({each[0].cell.place for each in _drawn(several, name)}) > 1:
        axes.annotate(
            cell.place,
            (counts[-1], numbers[-1][0]),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize="small",
        )


def _counts(axes: Axes, answer: Sweep) -> None:
    """The numbers of chips of the choices, on a logarithmic axis, with room for names."""
    counts = sorted({row.cell.scenario.hardware.count for row in answer.rows})
    axes.set_xscale("log")
    axes.set_xlim(counts[0] / 1.25, counts[-1] * 1.5)
    axes.xaxis.set_major_locator(FixedLocator(counts))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter("{x:,.0f}")
