"""Grid zones and sites: grams of CO2e a kWh with vintage and band, never a silent fallback.

A zone is looked for in energy/facts/data/grid.csv, then among CodeCarbon's bundled factors where
that package is installed. What is not there is an error with the nearest names; only a caller who
allows it gets the world's average instead, and then the source says so first.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from energy.errors import InputError, MissingDataError
from energy.facts import catalog
from energy.facts.zone import Region, Zone
from energy.quantity import Origin, Quantity

WORLD = "world"


def zone(name: str, *, allow_fallback: bool = False) -> Zone:
    """A zone by its id, name or alias: "US", "FRA", "France", "gcp:europe-west1".

    Args:
        name: of the zone.
        allow_fallback: take the world's average for a name that is not known, and say so.

    Raises:
        MissingDataError: the name is not known and no fallback was allowed.
    """
    try:
        return catalog.find(
            "grid zone", name, zones(), lambda row: (row.id, row.name, *row.aliases)
        )
    except InputError as error:
        if allow_fallback:
            return _fallback(name)
        installed = any(found.id not in _own_ids() for found in zones())
        more = "" if installed else " (CodeCarbon, extra carbon, brings 213 countries)"
        raise MissingDataError(
            error.expectation,
            error.value,
            f"{error.fix.replace('simulator grid zones', 'energy grid')}{more}, "
            "or name no zone: the world's band is then assumed, loudly",
        ) from error


def unknown_place() -> Quantity:
    """Grams of CO2e a kWh of a place that nobody named: the world's average, with a wide band."""
    world = _world().g_per_kwh
    source = (
        f"NO ZONE GIVEN: world average assumed, band over the zones of the world; {world.source}"
    )
    return world.model_copy(
        update={"origin": Origin.ASSUMED, "shares": {Origin.ASSUMED: 1.0}, "source": source}
    )


def region(name: str) -> Region:
    """A published data centre by its id, such as "google-glam"."""
    return catalog.find("published site", name, regions(), lambda row: (row.id,))


@cache
def zones() -> tuple[Zone, ...]:
    """Every zone that can be named: our own rows, then CodeCarbon's where it is installed."""
    from energy.facts import grid_codecarbon

    return (*_own(), *grid_codecarbon.zones(overhead("grid_vintage").numbers()))


@cache
def regions() -> tuple[Region, ...]:
    """The data centres whose figures were published."""
    number = ("pue", "wue_l_per_kwh", "ewif_l_per_kwh", "location_g_per_kwh", "market_g_per_kwh")

    def read(row: dict[str, str]) -> Region:
        values: dict[str, Any] = dict(row)
        values |= {key: catalog.cell(row[key], str | None) for key in ("zone", "notes")}
        values |= {key: catalog.cell(row[key], float | None) for key in number}
        return Region(**values | {"year": int(row["year"])})

    return tuple(catalog.rows("regions.csv", read))


@cache
def overhead(name: str) -> Quantity:
    """An overhead or lifetime of energy/facts/data/overheads.csv, with its band: an assumption."""

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

    return catalog.find(
        "overhead", name, tuple(catalog.rows("overheads.csv", read)), lambda row: (row[0],)
    )[1]


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
            **{key: row[key] for key in ("id", "name", "signal", "source", "licence", "status")},
            aliases=tuple(row["aliases"].split(";")),
            g_per_kwh=intensity,
            year=int(row["year"]),
            notes=catalog.cell(row["notes"], str | None),
        )

    return tuple(catalog.rows("grid.csv", read))


def _own_ids() -> set[str]:
    return {row.id for row in _own()}


def _world() -> Zone:
    return next(row for row in _own() if row.id == WORLD)


def _fallback(name: str) -> Zone:
    world = _world()
    source = f"FALLBACK: no factor for {name}, world average instead; {world.g_per_kwh.source}"
    assumed = world.g_per_kwh.model_copy(
        update={"origin": Origin.ASSUMED, "shares": {Origin.ASSUMED: 1.0}, "source": source}
    )
    return Zone(**{**vars(world), "g_per_kwh": assumed, "notes": source})
