"""Pictures of predictions turned round: where sparse pays, what fits a budget."""

from __future__ import annotations

from matplotlib.axes import Axes

from energy.reports.words import band, human
from energy.units import significant
from simulator.kit.style import (
    ANSWER,
    BAND,
    FACTOR,
    LOST,
    REFERENCE,
    legend_below,
    log_x,
    log_y,
    named_rows,
    whiskers,
)
from simulator.questions.budget.crossover import Crossover
from simulator.questions.budget.inverse import Most
from simulator.runs.spend import NAMES

KEY_UNITS = {
    "run.tokens": "tokens",
    "run.batch_tokens": "tokens",
    "run.batch_sequences": "sequences",
    "run.steps": "steps",
    "hardware.count": "chips",
    "hardware.link_bytes_per_s": "(B/s)",
    "hardware.network_bytes_per_s": "(B/s)",
    "model.shape.seq_len": "tokens",
    "site.pue": "1",
    "site.grid_location": "g/kWh",
    "site.chip_price": "USD/h",
}


def sparse_over_dense(found: Crossover, axes: Axes) -> Axes:
    """What a mixture spends over what a dense model spends, against the figure that moves."""
    known = [point for point in found.points if point.ratio is not None]
    x = [point.value for point in known]
    if any(point.low != point.high for point in known):
        axes.fill_between(
            x,
            [point.low or 0.0 for point in known],
            [point.high or 0.0 for point in known],
            color=BAND,
            label="spread of the laws of loss",
        )
    axes.plot(
        x,
        [point.ratio or 0.0 for point in known],
        "o-",
        color=ANSWER,
        linewidth=2,
        label=f"{found.sparse} / {found.dense}",
    )
    axes.axhline(1, color=REFERENCE, linestyle="--", linewidth=1, label="below it, sparse pays")
    when = "after" if found.whole else "at"
    for value in found.crossings:
        axes.axvline(value, color=LOST, linestyle=":", label=f"it changes {when} {value:.3g}")
    axes.set_xlabel(f"{found.key} / {KEY_UNITS.get(found.key, '1')}")
    axes.set_ylabel(f"{NAMES[found.of]} at equal {found.equal}, sparse / dense / 1")
    axes.grid(alpha=0.3)
    return log_x(log_y(legend_below(axes)))


def budgets_used(found: Most, axes: Axes) -> Axes:
    """The part of each budget that the most that fits uses, with the band of what it takes."""
    known = found.spend.by_budget()
    names = []
    for place, (name, limit) in enumerate(found.budgets.items()):
        value, low, high = (100 * number / limit for number in known[name].numbers())
        binds = name == found.binding
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
    axes.set_title(
        f"{found.scenario.name}: at most {human(found.answer)} {found.what} ({band(found.answer)})"
    )
    return legend_below(named_rows(axes, names), drop=-0.25)
