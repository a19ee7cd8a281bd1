"""The site of a run: grid, building, water and prices, every figure with its source.

An unknown figure is taken from the tables of facts as an assumption with a band (PUE, overheads,
carbon intensity, the water of a country's electricity), or stays missing with a reason (the water
of the site, prices, contracts): a price, or a liter of a site, is never assumed silently.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from energy.arithmetic import add, multiply
from energy.errors import InputError, nearest
from energy.facts import grid
from energy.facts.countries import by_code
from energy.facts.zone import Region
from energy.quantity import Boundary, Origin, Quantity
from energy.units import S_PER_DAY

UNITS = {
    "pue": "1",
    "grid_location": "g/kWh",
    "grid_market": "g/kWh",
    "grid_location_hourly": "g/kWh",
    "grid_market_hourly": "g/kWh",
    "wue": "L/kWh",
    "ewif": "L/kWh",
    "electricity_price": "USD/kWh",
    "chip_price": "USD/h",
    "node_over_chip": "1",
    "it_over_node": "1",
    "generation_over_facility": "1",
    "lifetime_s": "s",
}
"""The figures of a site, each with its unit."""

UNKNOWN_ZONE = "not given"
"""The label of a run whose zone nobody has named: its CO2e has a band over all grids."""

OF_THE_GRID = (
    "grid_location",
    "grid_market",
    "grid_location_hourly",
    "grid_market_hourly",
    "ewif",
)
"""Figures that hold in one zone and move to no other."""

FACTORS = ("pue", "node_over_chip", "it_over_node", "generation_over_facility")
"""Figures that raise joules from one boundary to the next: they are at least 1."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """Place, building and contracts of a run.

    Attributes:
        name: for people.
        zone: grid zone, or UNKNOWN_ZONE.
        pue: facility energy over IT energy.
        grid_location: average grams of CO2e per kWh of the grid (gross).
        grid_market: grams of CO2e per kWh after clean-energy contracts (net).
        grid_location_hourly: that of the grid in each hour of the run, mean by its joules.
        grid_market_hourly: that of the contracts, matched hour by hour, mean by its joules.
        wue: liters of water per kWh of IT energy, used on site.
        ewif: liters of water per kWh, used by the grid.
        electricity_price: dollars per kWh.
        chip_price: dollars per chip-hour; where known, it is the whole cost.
        node_over_chip: energy of the node over that of its chips.
        it_over_node: energy of the IT equipment over that of the nodes.
        generation_over_facility: generated over delivered energy.
        lifetime_s: service life of a device in seconds.
    """

    name: str
    zone: str
    pue: Quantity
    grid_location: Quantity
    grid_market: Quantity
    grid_location_hourly: Quantity
    grid_market_hourly: Quantity
    wue: Quantity
    ewif: Quantity
    electricity_price: Quantity
    chip_price: Quantity
    node_over_chip: Quantity
    it_over_node: Quantity
    generation_over_facility: Quantity
    lifetime_s: Quantity

    def steps(self) -> dict[Boundary, Quantity]:
        """The factor that raises joules to each boundary from the next narrower one."""
        return {
            Boundary.NODE: self.node_over_chip,
            Boundary.IT: self.it_over_node,
            Boundary.FACILITY: self.pue,
            Boundary.GENERATION: self.generation_over_facility,
        }

    def water(self) -> Quantity:
        """Liters an IT kWh, of the site and of the grid: WUE + PUE x EWIF.

        Without the site's own figure there is none: the grid's part alone would be too little.
        """
        if self.wue.value is None and self.ewif.origin is Origin.ASSUMED:
            return self.wue
        of_grid = multiply(self.pue, self.ewif, "L/kWh")
        intensity = add([self.wue, of_grid], names=["site", "grid"], source="WUE + PUE x EWIF")
        if intensity.value is None:
            return Quantity.absent("L/kWh", intensity.source)
        return intensity

    def factors(self) -> dict[str, Quantity]:
        """Every figure by name, for the record."""
        return {name: getattr(self, name) for name in UNITS}


def site(
    zone: str | None = None,
    *,
    region: str | None = None,
    name: str | None = None,
    allow_fallback: bool = False,
    **figures: Quantity | float | None,
) -> Site:
    """A site from its own figures, then those that its region published, then assumptions.

    Args:
        zone: a grid zone ("US", "FRA"); without it the place is unknown and the band is wide.
        region: a published data center ("google-glam") that supplies figures; in a zone that is not
            its own, those of the building alone.
        name: for people.
        allow_fallback: use the world average for an unknown zone.
        figures: by the names of `Site`: quantities, or numbers in the units of `UNITS`, which are
            then assumptions of the caller; None counts as absent.

    Raises:
        MissingDataError: the zone is unknown and no fallback is allowed.
        InputError: a figure has an unknown name, a wrong unit or an impossible value.
    """
    known = {key: _figure(key, value) for key, value in figures.items() if value is not None}
    if region is not None:
        published = grid.region(region)
        elsewhere = zone is not None and zone != published.zone
        zone = zone or published.zone
        name = name or published.name + (f", moved to {zone}" if elsewhere else "")
        known = _published(published, elsewhere) | known
    return Site(
        name=name or zone or "place not given",
        zone=zone or UNKNOWN_ZONE,
        **_assumed(zone, allow_fallback, known) | known,
    )


def site_from_options(
    zone: str | None, pue: float | None, wue: float | None = None, market: float | None = None
) -> Site:
    """The site of the command-line options --zone, --pue, --wue and --market, all optional.

    Raises:
        MissingDataError: the zone is unknown.
    """
    options = {"pue": (pue, "--pue"), "wue": (wue, "--wue"), "grid_market": (market, "--market")}
    figures: dict[str, Any] = {
        key: _figure(key, value, source)
        for key, (value, source) in options.items()
        if value is not None
    }
    return site(zone, **figures)


def _figure(key: str, value: Quantity | float, source: str = "set by the caller") -> Quantity:
    """One figure of a site as a quantity, checked.

    Raises:
        InputError: the name is unknown, or the unit or the value is wrong.
    """
    if key not in UNITS:
        raise InputError("expected a figure of a site", key, nearest(key, UNITS))
    least = 1 if key in FACTORS else 0
    number = value.value if isinstance(value, Quantity) else value
    if number is not None and not (isinstance(number, int | float) and least <= number < math.inf):
        raise InputError(f"expected {key} of {least} or more", str(number))
    if not isinstance(value, Quantity):
        return Quantity.exact(value, UNITS[key], source, Origin.ASSUMED)
    if value.unit != UNITS[key]:
        raise InputError(f"expected {key} in {UNITS[key]}", value.unit)
    return value


def _published(region: Region, elsewhere: bool) -> dict[str, Quantity]:
    """The figures that a data center published; those of its grid hold nowhere else."""
    values = {
        "pue": region.pue,
        "wue": region.wue_l_per_kwh,
        "ewif": region.ewif_l_per_kwh,
        "grid_location": region.location_g_per_kwh,
        "grid_market": region.market_g_per_kwh,
    }
    source = f"{region.name}: {region.source} ({region.year})"
    figures = {
        key: Quantity.exact(value, UNITS[key], source)
        for key, value in values.items()
        if value is not None and not (elsewhere and key in OF_THE_GRID)
    }
    if elsewhere and region.market_g_per_kwh is not None:
        reason = f"the contracts of {region.name} are of another zone; state site.grid_market"
        figures["grid_market"] = Quantity.absent("g/kWh", reason)
    return figures


def _assumed(
    zone: str | None, allow_fallback: bool, known: Mapping[str, Quantity]
) -> dict[str, Quantity]:
    """Every figure of a site, from the tables or missing with a reason."""
    figures = {key: Quantity.absent(UNITS[key], reason) for key, reason in _NO_DEFAULT.items()}
    for key in FACTORS:
        figures[key] = grid.overhead(key)
    figures["lifetime_s"] = grid.overhead("lifetime_years").scaled(365.25 * S_PER_DAY, "s")
    # With a known factor the zone is only a name, and may be one that no table has.
    place = None
    if zone is not None and "grid_location" not in known:
        place = grid.zone(zone, allow_fallback=allow_fallback)
    if "grid_location" not in known:
        figures["grid_location"] = grid.unknown_place() if place is None else place.g_per_kwh
    if place is not None and (country := by_code().get(place.country or "")):
        figures["ewif"] = country.ewif
    return figures


_NO_DEFAULT = {
    "grid_market": "no clean-energy contract is known; the location figure is no substitute",
    "grid_location_hourly": "the intensity of the grid over time is unknown",
    "grid_market_hourly": "the intensity of the contracts over time is unknown",
    "wue": "the water usage of the site is unknown (L per IT kWh)",
    "ewif": "the water intensity of the grid is unknown (L per kWh)",
    "electricity_price": "the price of electricity is unknown (USD per kWh)",
    "chip_price": "the price of a chip-hour is unknown",
}
"""Figures that are never assumed, and why a site without them has none."""
