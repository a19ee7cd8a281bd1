"""Pictures of the catalog: parameters of models, peaks of chips, and prices with their offers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from matplotlib.axes import Axes

from energy.facts.prices import Price
from simulator.kit.style import ANSWER, FACTOR, Panel, bar, log_x, named_rows
from simulator.questions.catalog.answer import Chips, Models, Prices, parameters


def panels(answer: Models | Chips | Prices) -> Sequence[Panel]:
    """A bar for each row; prices have a panel for each unit."""
    if isinstance(answer, Models):
        return [partial(parameters_of_models, answer)]
    if isinstance(answer, Chips):
        return [partial(peaks_of_chips, answer)]
    units = dict.fromkeys(row.price.unit for row in answer.rows)
    return [
        partial(offers, unit, [row for row in answer.rows if row.price.unit == unit])
        for unit in units
    ]


def parameters_of_models(answer: Models, axes: Axes) -> Axes:
    """All parameters of each model, and those that a token passes through."""
    for place, row in enumerate(answer.rows):
        total, active = parameters(row.shape)
        first = place == 0
        axes.barh(place, total / 1e9, color=FACTOR, height=0.6, label="all" if first else None)
        axes.barh(place, active / 1e9, color=ANSWER, height=0.3, label="active" if first else None)
    axes.set_xlabel("parameters / billion")
    return named_rows(log_x(axes), [row.name for row in answer.rows])


def peaks_of_chips(answer: Chips, axes: Axes) -> Axes:
    """The dense peak of each chip."""
    for place, row in enumerate(answer.rows):
        peak = row.peak_bf16_flop_per_s or row.peak_fp16_flop_per_s
        if peak is None:
            axes.text(0, place, " unknown", va="center")
        else:
            axes.barh(place, peak / 1e12, color=ANSWER, height=0.6)
    axes.set_xlabel("dense peak at bf16, or fp16 without it / (TFLOP/s)")
    return named_rows(axes, [row.id for row in answer.rows])


def offers(unit: str, rows: Sequence[Price], axes: Axes) -> Axes:
    """The price of each row, from the cheapest to the dearest offer."""
    for place, row in enumerate(rows):
        label = "cheapest to dearest offer" if place == 0 else None
        bar(axes, place, row.price, 1.0, ANSWER, label)
    axes.set_xlabel(f"price / ({unit})")
    return named_rows(axes, [row.id for row in rows])
