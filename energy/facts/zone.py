"""A grid zone and a data center, each a row of a table of facts."""

from __future__ import annotations

from dataclasses import dataclass

from energy.quantity import Quantity


@dataclass(frozen=True, kw_only=True)
class Zone:
    """A place and the average carbon intensity of its electricity in one year.

    Attributes:
        id: "US", "FRA", "gcp:us-central1", "world".
        aliases: other spellings of the id.
        name: full name.
        g_per_kwh: grams of CO2e per kWh, location-based, with its band.
        signal: average or marginal, combustion or life cycle.
        source: citation.
        year: year of the data.
        license: license of the data.
        status: one of `energy.facts.rows.STATUSES`.
        notes: caveats.
        kind: country, or region for a part of one.
        country: code of three letters; None for the world.
    """

    id: str
    aliases: tuple[str, ...]
    name: str
    g_per_kwh: Quantity
    signal: str
    source: str
    year: int | None
    license: str
    status: str
    notes: str | None
    kind: str = "country"
    country: str | None = None


@dataclass(frozen=True, kw_only=True)
class Region:
    """A data center whose figures are published; None is an unpublished figure."""

    id: str
    name: str
    zone: str | None
    pue: float | None
    wue_l_per_kwh: float | None
    ewif_l_per_kwh: float | None
    location_g_per_kwh: float | None
    market_g_per_kwh: float | None
    source: str
    year: int
    license: str
    status: str
    notes: str | None
