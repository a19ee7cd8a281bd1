"""The pages of `simulator regions`: the places, and a run at each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from energy.quantity import Quantity
from energy.record import RunRecord
from energy.reports.words import band, console, human, table
from energy.units import G_PER_T, J_PER_MWH, L_PER_M3, significant
from simulator.questions.regions.answer import Moved, Place


def page(found: Sequence[Place]) -> None:
    """Print places with their factors and where these come from."""
    out = console()
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
    for place in found:
        rows.add_row(
            place.id,
            place.kind,
            place.name,
            _number(place.location),
            band(place.location),
            *(_number(one) for one in (place.market, place.pue, place.wue, place.ewif)),
            str(place.year or "unknown"),
            place.status,
            place.source,
        )
    out.print(rows)
    for text in cautions(found):
        out.print(text, markup=False)


def moved(record: RunRecord, found: Sequence[Moved]) -> None:
    """Print a run at each place."""
    out = console()
    rows = table(
        "place",
        "name",
        "energy",
        "CO2e gross",
        "band",
        "CO2e net",
        "water",
        "PUE",
        "g/kWh",
        title=f"{record.name}, at each place",
    )
    rows.columns[1].justify = "left"
    for one in found:
        there = one.record
        rows.add_row(
            one.place.id,
            one.place.name,
            human(one.facility_j),
            human(there.co2_location_g),
            band(there.co2_location_g),
            human(there.co2_market_g),
            human(there.water_l),
            _number(there.factors["pue"]),
            _number(there.factors["grid_location"]),
        )
    out.print(rows)
    for text in cautions([one.place for one in found]):
        out.print(text, markup=False)
    gone = sorted(
        {
            there.source
            for one in found
            for there in (one.record.co2_market_g, one.record.water_l)
            if there.value is None
        }
    )
    for reason in gone[:4]:
        out.print(f"missing: {reason}", markup=False)


def cautions(found: Sequence[Place]) -> Iterator[str]:
    """What must be known before two places are compared."""
    signals = sorted({place.signal for place in found if place.kind == "zone"})
    if len(signals) > 1:
        yield (
            f"the factors are not of one kind ({'; '.join(signals)}): life cycle counts more "
            "than combustion, by 10 to 50 g/kWh on most grids"
        )
    years = [place.year for place in found if place.year]
    if years and max(years) - min(years) > 2:
        yield f"the factors are of {min(years)} to {max(years)}: grids get cleaner over the years"


def as_json(found: Sequence[Place]) -> list[dict[str, Any]]:
    """Places with the names that scripts rely on."""
    return [
        {name: getattr(place, name) for name in asdict(place)} | {"g_per_kwh": place.location.value}
        for place in found
    ]


def moved_json(record: RunRecord, found: Sequence[Moved]) -> dict[str, Any]:
    """A run at each place, as plain data."""
    return {
        "name": record.name,
        "places": [
            {
                "place": one.place.id,
                "kind": one.place.kind,
                "name": one.place.name,
                "energy_mwh": one.facility_j.scaled(1 / J_PER_MWH, "MWh"),
                "co2_location_t": one.record.co2_location_g.scaled(1 / G_PER_T, "t"),
                "co2_market_t": one.record.co2_market_g.scaled(1 / G_PER_T, "t"),
                "water_m3": one.record.water_l.scaled(1 / L_PER_M3, "m3"),
                "pue": one.record.factors["pue"],
                "grid_location": one.record.factors["grid_location"],
            }
            for one in found
        ],
        "cautions": list(cautions([one.place for one in found])),
    }


def _number(quantity: Quantity) -> str:
    return "unknown" if quantity.value is None else significant(quantity.value)
