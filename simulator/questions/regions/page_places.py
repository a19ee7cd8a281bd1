"""The page of `simulator regions`: places with their factors and where these come from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

from rich.console import Console

from energy.quantity import Quantity
from energy.reports.terminal import table
from energy.units import significant
from simulator.questions.regions.answer import Places
from simulator.questions.regions.places import Place

YEARS_APART = 2
"""Factors of years further apart than this are not comparable without a caution."""


def page(places: Places, console: Console) -> None:
    """Print the places, then what must be known before two of them are compared."""
    rows = table(
        "place",
        "kind",
        "name",
        "g/kWh gross",
        "band",
        "net",
        "PUE",
        "L/kWh site",
        "L/kWh grid",
        "year",
        "status",
        "source",
    )
    for column in (1, 2, 10, 11):
        rows.columns[column].justify = "left"
    for place in places.rows:
        rows.add_row(
            place.id,
            place.kind,
            place.name,
            number(place.location),
            place.location.band(),
            *(number(figure) for figure in (place.market, place.pue, place.wue, place.ewif)),
            str(place.year or "unknown"),
            place.status,
            place.source,
        )
    console.print(rows)
    for caution in cautions(places.rows):
        console.print(caution, markup=False)


def as_json(places: Places) -> list[dict[str, Any]]:
    """Places with the names that scripts rely on."""
    names = [field.name for field in fields(Place)]
    return [
        {name: getattr(place, name) for name in names} | {"g_per_kwh": place.location.value}
        for place in places.rows
    ]


def cautions(places: Sequence[Place]) -> Iterator[str]:
    """What must be known before two places are compared."""
    signals = sorted({place.signal for place in places if place.kind == "zone"})
    if len(signals) > 1:
        yield (
            f"the factors are of several kinds ({'; '.join(signals)}): life cycle counts more "
            "than combustion, by 10 to 50 g/kWh on most grids"
        )
    years = [place.year for place in places if place.year]
    if years and max(years) - min(years) > YEARS_APART:
        yield f"the factors are of {min(years)} to {max(years)}: grids get cleaner over the years"


def number(quantity: Quantity) -> str:
    """A value without its unit, or that it is unknown."""
    return "unknown" if quantity.value is None else significant(quantity.value)
