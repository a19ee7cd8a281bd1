"""The picture of `simulator regions`: grams of CO2e per kWh of each place."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from matplotlib.axes import Axes

from energy.quantity import Quantity
from simulator.kit.style import ANSWER, REFERENCE, Panel, legend_below, named_rows, whiskers
from simulator.questions.regions.answer import Places
from simulator.questions.regions.places import Place

MOST_PLACES = 40
"""Rows that a picture of places has."""


def panels(places: Places) -> Sequence[Panel]:
    """One panel, a bar a place."""
    return [partial(grams_by_place, places.rows)]


def grams_by_place(places: Sequence[Place], axes: Axes) -> Axes:
    """Grams of CO2e per kWh of each place with its band, and beside it net, where published."""
    rows = [(place.id, place.location, place.market) for place in places]
    return gross_and_net(axes, rows, 1.0, "CO2e of the grid / (g/kWh)")


def gross_and_net(
    axes: Axes, rows: Sequence[tuple[str, Quantity, Quantity]], unit: float, label: str
) -> Axes:
    """A bar of each gross figure with its band, and a mark at the net one where it is known.

    Args:
        axes: to draw on.
        rows: of each place, its name, its gross and its net figure; the first are drawn.
        unit: size of the unit of the axis, in that of the figures.
        label: of the axis.
    """
    shown = rows[:MOST_PLACES]
    first = next((place for place, row in enumerate(shown) if row[1].value is not None), None)
    for place, (_, gross, net) in enumerate(shown):
        if gross.value is None:
            axes.text(0, place, " missing", va="center", fontsize="small")
        else:
            value, low, high = (number / unit for number in gross.numbers())
            axes.barh(
                place,
                value,
                color=ANSWER,
                height=0.75,
                label="gross: average of the grid, with band" if place == first else None,
            )
            whiskers(axes, place, value, low, high)
        if net.value is not None:
            axes.plot(net.value / unit, place, "^", color="white", markeredgecolor=REFERENCE)
    if any(net.value is not None for _, _, net in shown):
        axes.plot(
            [],
            [],
            "^",
            color="white",
            markeredgecolor=REFERENCE,
            label="net: after clean-energy purchases",
        )
    axes.set_xlim(left=0)
    named_rows(axes, [name for name, _, _ in shown])
    axes.tick_params(axis="y", labelsize="small")
    part = f" (the first {MOST_PLACES} of {len(rows)} places)" if len(rows) > MOST_PLACES else ""
    axes.set_xlabel(label + part)
    return legend_below(axes)
