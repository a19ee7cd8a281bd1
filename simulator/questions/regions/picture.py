"""The pictures of `simulator regions`."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from energy.quantity import Quantity
from energy.units import G_PER_T
from simulator.kit.style import ANSWER, REFERENCE, legend_below, named_rows, whiskers
from simulator.questions.regions.answer import Moved, Place

MOST_PLACES = 40
"""Rows that a picture of places has."""


def grams_by_place(found: Sequence[Place], axes: Axes) -> Axes:
    """Grams of CO2e a kWh of each place with its band; net, where it is published, beside it."""
    _places(axes, [(place.id, place.location, place.market) for place in found], 1.0)
    axes.set_xlabel("CO2e of the grid / (g/kWh)" + _first(found))
    return axes


def run_by_place(name: str, found: Sequence[Moved], axes: Axes) -> Axes:
    """Tonnes of CO2e of a run at each place with their band; net, where it is published."""
    rows = [(one.place.id, one.record.co2_location_g, one.record.co2_market_g) for one in found]
    _places(axes, rows, G_PER_T)
    axes.set_xlabel(f"CO2e of {name} / t" + _first(found))
    return axes


def _places(axes: Axes, rows: Sequence[tuple[str, Quantity, Quantity]], scale: float) -> None:
    shown = rows[:MOST_PLACES]
    for place, (_, gross, net) in enumerate(shown):
        if gross.value is None:
            axes.text(0, place, " missing", va="center", fontsize="small")
        else:
            value, low, high = (number / scale for number in gross.numbers())
            axes.barh(
                place,
                value,
                color=ANSWER,
                height=0.75,
                label=None if place else "gross: average of the grid, with band",
            )
            whiskers(axes, place, value, low, high)
        if net.value is not None:
            axes.plot(net.value / scale, place, "^", color="white", markeredgecolor=REFERENCE)
    if any(net.value is not None for _, _, net in shown):
        axes.plot(
            [],
            [],
            "^",
            color="white",
            markeredgecolor=REFERENCE,
            label="net: after clean-energy purchases",
        )
    named_rows(axes, [name for name, _, _ in shown])
    axes.tick_params(axis="y", labelsize="small")
    legend_below(axes, drop=-2.4 / (len(shown) + 1))


def _first(found: Sequence[object]) -> str:
    """What an axis says where not all places are drawn."""
    many = len(found) > MOST_PLACES
    return f" (the first {MOST_PLACES} of {len(found)} places)" if many else ""
