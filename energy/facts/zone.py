"""A grid zone and a data centre: one row of the tables each."""

from __future__ import annotations

from dataclasses import dataclass

from energy.quantity import Quantity


@dataclass(frozen=True, kw_only=True)
class Zone:
    """A place and the average intensity of its electricity, one year.

    Attributes:
        id: "US", "FRA", "gcp:us-central1", "world".
        aliases: other spellings of it.
        name: in words.
        g_per_kwh: grams of CO2e a kWh, location-based, with its band.
        signal: average or marginal, combustion or life cycle.
        source: citation.
        year: of the data.
        licence: of the data.
        status: how sure the row is.
        notes: what a reader must know.
    """

    id: str
    aliases: tuple[str, ...]
    name: str
    g_per_kwh: Quantity
    signal: str
    source: str
    year: int | None
    licence: str
    status: str
    notes: str | None


@dataclass(frozen=True, kw_only=True)
class Region:
    """A data centre whose figures were published; None is not published."""

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
    licence: str
    status: str
    notes: str | None
