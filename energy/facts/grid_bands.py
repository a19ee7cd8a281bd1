"""The band around an annual factor: how far the next edition of the same source was from it.

Fitted by `python -m benchmarks.grid_bands` and judged on zones that it was not fitted on;
docs/grid.md shows both. Clean grids move more than dirty ones, and parts of a country more than all
of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from energy.facts.rows import rows
from energy.quantity import Origin, Quantity

COUNTRY, REGION = "country", "region"
"""Kinds of zones: a country, or a part of one."""


@dataclass(frozen=True)
class GridBand:
    """A band of one kind and level.

    Attributes:
        kind: country or region.
        from_g: least grams per kWh of its zones.
        below_g: its zones have less.
        low: low end, as a factor.
        high: high end, as a factor.
    """

    kind: str
    from_g: float
    below_g: float
    low: float
    high: float


@cache
def grid_bands() -> tuple[GridBand, ...]:
    """All bands."""

    def read(row: dict[str, str]) -> GridBand:
        numbers = (float(row[name]) for name in ("from_g", "below_g", "low", "high"))
        return GridBand(row["kind"], *numbers)

    return tuple(rows("grid_bands.csv", read))


def annual(kind: str, g_per_kwh: float, source: str) -> Quantity:
    """An annual factor with the band of its kind and level.

    France 56 g/kWh: 40.4 to 64.1.
    """
    band = next(
        band
        for band in grid_bands()
        if band.kind == kind and band.from_g <= g_per_kwh < band.below_g
    )
    return Quantity(
        value=g_per_kwh,
        low=g_per_kwh * band.low,
        high=g_per_kwh * band.high,
        unit="g/kWh",
        origin=Origin.MODELLED,
        source=source,
    )
