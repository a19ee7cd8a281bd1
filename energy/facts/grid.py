"""Grid zones and published data centers: grams of CO2e per kWh with year and band.

A zone is looked up in energy/facts/data/grid.csv, then among the factors that come with CodeCarbon
if that package is installed. An unknown zone is an error that lists the nearest names; only a
caller who allows a fallback gets the world average instead, and its source then says so first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from energy.errors import InputError, MissingDataError
from energy.facts.cells import cell
from energy.facts.grid_bands import REGION, annual
from energy.facts.rows import find, rows
from energy.facts.zone import Region, Zone
from energy.quantity import Origin, Quantity

WORLD = "world"


def zone(name: str, *, allow_fallback: bool = False) -> Zone:
    """A zone by its id, name or alias: "US", "FRA", "France", "gcp:europe-west1".

    Args:
        name: name of the zone.
        allow_fallback: use the world average for an unknown name; its source says so.

    Raises:
        MissingDataError: the name is unknown and no fallback is allowed.
    """
    try:
        return find(
            "grid zone", name, zones(), lambda row: (row.id, row.name, *row.aliases), "energy grid"
        )
    except InputError as error:
        if allow_fallback:
            return _fallback(name)
        more = "" if len(zones()) > len(_own()) else " (the extra carbon adds 213 countries)"
        raise MissingDataError(
            error.expectation,
            error.value,
            f"without a zone the world average is assumed, with a wide band; {error.fix}{more}",
        ) from error


def unknown_place() -> Quantity:
    """Grams of CO2e per kWh without a known zone: the world average, with a wide band."""
    return _assumed_world_average(
        "NO ZONE GIVEN: world average assumed, band over the zones of the world"
    )


def region(name: str) -> Region:
    """A published data center by its id, such as "google-glam"."""
    return find(
        "published site", name, regions(), lambda row: (row.id,), "simulator regions --kind site"
    )


@cache
def zones() -> tuple[Zone, ...]:
    """All zones: rows of grid.csv, those of CodeCarbon if it is installed, and places in them."""
    from energy.facts import grid_codecarbon

    known = (*_own(), *grid_codecarbon.zones())
    return (*known, *_places({zone.id: zone for zone in known}))


@cache
def regions() -> tuple[Region, ...]:
    """The data centers whose figures are published."""
    numbers = ("pue", "wue_l_per_kwh", "ewif_l_per_kwh", "location_g_per_kwh", "market_g_per_kwh")

    def read(row: dict[str, str]) -> Region:
        values: dict[str, Any] = dict(row)
        values |= {key: cell(row[key], str | None) for key in ("zone", "notes")}
        values |= {key: cell(row[key], float | None) for key in numbers}
        return Region(**values | {"year": int(row["year"])})

    return tuple(rows("regions.csv", read))


def overhead(name: str) -> Quantity:
    """An overhead or lifetime from energy/facts/data/overheads.csv: an assumption with a band."""
    return find("overhead", name, _overheads(), lambda row: (row[0],))[1]


@cache
def _overheads() -> tuple[tuple[str, Quantity], ...]:
    """All of them, by name."""

    def read(row: dict[str, str]) -> tuple[str, Quantity]:
        value, low, high = (float(row[key]) for key in ("value", "low", "high"))
        source = f"{row['meaning']}: {row['source']} ({row['year']}, {row['status']})"
        return row["id"], Quantity(
            value=value,
            low=low,
            high=high,
            unit=row["unit"],
            origin=Origin.ASSUMED,
            source=source,
        )

    return tuple(rows("overheads.csv", read))


@cache
def _own() -> tuple[Zone, ...]:
    def read(row: dict[str, str]) -> Zone:
        value, low, high = (
            float(row[key]) for key in ("g_per_kwh", "low_g_per_kwh", "high_g_per_kwh")
        )
        source = f"{row['name']} {row['year']}: {row['source']}"
        intensity = Quantity(
            value=value, low=low, high=high, unit="g/kWh", source=source, origin=Origin.MODELLED
        )
        return Zone(
            **{key: row[key] for key in ("id", "name", "signal", "source", "license", "status")},
            aliases=tuple(row["aliases"].split(";")),
            g_per_kwh=intensity,
            year=int(row["year"]),
            notes=cell(row["notes"], str | None),
        )

    return tuple(rows("grid.csv", read))


def _places(known: Mapping[str, Zone]) -> Iterator[Zone]:
    """Cloud regions and balancing areas by the zone around them; none whose zone is not known."""

    def read(row: dict[str, str]) -> Zone | None:
        around = known.get(row["zone"])
        if around is None:
            return None
        value = around.g_per_kwh.value or 0.0
        words = f"{row['id']} ({row['name']}) lies in {around.id}; {around.g_per_kwh.source}"
        return replace(
            around,
            id=row["id"],
            aliases=(),
            name=f"{row['id']} ({row['name']})",
            g_per_kwh=annual(REGION, value, words),
            source=f"factor of {around.id}: {around.source}; place: {row['source']}",
            notes=row["notes"],
            kind=REGION,
        )

    return (zone for zone in rows("grid_places.csv", read) if zone is not None)


def _fallback(name: str) -> Zone:
    assumed = _assumed_world_average(f"FALLBACK: no factor for {name}, world average instead")
    return replace(_world(), g_per_kwh=assumed, notes=assumed.source)


def _world() -> Zone:
    return next(row for row in _own() if row.id == WORLD)


def _assumed_world_average(reason: str) -> Quantity:
    world = _world().g_per_kwh
    return world.model_copy(
        update={
            "origin": Origin.ASSUMED,
            "shares": {Origin.ASSUMED: 1.0},
            "source": f"{reason}; {world.source}",
        }
    )
