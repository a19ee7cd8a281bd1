"""The picture of `simulator crossover`: what a mixture uses over what a dense model uses."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from matplotlib.axes import Axes

from simulator.kit.style import ANSWER, BAND, LOST, REFERENCE, Panel, legend_below, log_x, log_y
from simulator.questions.budget.crossover import Crossover
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


def panels(crossover: Crossover) -> Sequence[Panel]:
    """The ratio over the range."""
    return [partial(sparse_over_dense, crossover)]


def sparse_over_dense(crossover: Crossover, axes: Axes) -> Axes:
    """The ratio against the parameter, and where it passes 1."""
    known = [point for point in crossover.points if point.ratio is not None]
    values = [point.value for point in known]
    if any(point.low != point.high for point in known):
        axes.fill_between(
            values,
            [point.low or 0.0 for point in known],
            [point.high or 0.0 for point in known],
            color=BAND,
            label="spread of the laws of loss",
        )
    axes.plot(
        values,
        [point.ratio or 0.0 for point in known],
        "o-",
        color=ANSWER,
        linewidth=2,
        label=f"{crossover.sparse} / {crossover.dense}",
    )
    axes.axhline(1, color=REFERENCE, linestyle="--", linewidth=1, label="below it, sparse pays")
    when = "after" if crossover.whole else "at"
    for value in crossover.crossings:
        axes.axvline(value, color=LOST, linestyle=":", label=f"it changes {when} {value:.3g}")
    axes.set_xlabel(f"{crossover.key} / {KEY_UNITS.get(crossover.key, '1')}")
    axes.set_ylabel(f"{NAMES[crossover.of]} at equal {crossover.equal}, sparse / dense / 1")
    axes.grid(alpha=0.3)
    return log_x(log_y(legend_below(axes)))
