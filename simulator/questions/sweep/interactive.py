"""The configurations of a sweep as the sortable table of its page of HTML."""

from __future__ import annotations

from collections.abc import Sequence

from energy.quantity import Quantity
from energy.units import significant
from simulator.kit.sortable import Cell, sortable
from simulator.questions.sweep.cells import MEASURES, Configuration

CAPTION = (
    "The numbered marks of the picture, with 80 % bands. A head sorts; under the pointer a mark "
    "shows its row."
)

HEADS = {"weeks": "weeks", "mwh": "MWh", "co2": "t CO2e", "usd": "USD", "mw": "MW"}
"""Columns of quantities by the names of `MEASURES`, with their units."""


def table(configurations: Sequence[Configuration]) -> str:
    """One row for each numbered mark of the picture.

    Args:
        configurations: in the order of their numbers.
    """
    heads = ["model", "chips", "chip", "place", *(HEADS[name] for name in MEASURES)]
    rows = []
    for each in configurations:
        hardware, quantities = each.cell.scenario.hardware, each.quantities
        words = (each.cell.model, hardware.count, hardware.chip or "", each.cell.place)
        named: list[Cell] = [
            (word, f"{word:,}" if isinstance(word, int) else word) for word in words
        ]
        rows.append(
            [*named, *(_cell(quantities[name]) for name in MEASURES), (each.plan_words,) * 2]
        )
    return sortable([*heads, "plan"], rows, CAPTION)


def _cell(quantity: Quantity) -> Cell:
    """A quantity with its band; what is missing comes last."""
    if quantity.value is None:
        return float("inf"), "missing"
    value, low, high = map(significant, quantity.numbers())
    return quantity.value, f"{value} ({low} to {high})"
