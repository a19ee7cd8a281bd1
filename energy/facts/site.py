"""Where a run stands: grid, building, water, prices. Every figure is a quantity with a source.

What is not given is taken from the tables of facts as an assumption with a band (PUE, overheads,
a place that nobody named), or stays missing with its reason (water, prices, contracts): a price
or a litre is never assumed in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from energy.errors import InputError
from energy.facts import grid
from energy.facts.zone import Region
from energy.quantity import Boundary, Origin, Quantity
from energy.units import S_PER_DAY

UNITS = {
    "pue": "1",
    "grid_location": "g/kWh",
    "grid_market": "g/kWh",
    "wue": "L/kWh",
    "ewif": "L/kWh",
    "electricity_price": "USD/kWh",
    "chip_price": "USD/h",
    "node_over_chip": "1",
    "it_over_node": "1",
    "generation_over_facility": "1",
    "lifetime_s": "s",
}


@dataclass(frozen=True, kw_only=True)
class Site:
    """Place, building and contracts of a run.

    Attributes:
        name: in words.
        zone: grid zone, "not given" where nobody named one.
        pue: facility over IT energy.
        grid_location: average grams of CO2e a kWh of the grid (gross).
        grid_market: grams of CO2e a kWh after clean-energy contracts (net).
        wue: litres of the site an IT kWh.
        ewif: litres a kWh of the grid.
        electricity_price: dollars a kWh.
        chip_price: dollars an hour of one chip; where given, it is the whole cost.
        node_over_chip: joules of the node over those of its chips.
        it_over_node: joules of IT over those of the nodes.
        generation_over_facility: generated over delivered joules.
        lifetime_s: seconds that a device serves.
    """

    name: str
    zone: str
    pue: Quantity
    grid_location: Quantity
    grid_market: Quantity
    wue: Quantity
    ewif: Quantity
    electricity_price: Quantity
    chip_price: Quantity
    node_over_chip: Quantity
    it_over_node: Quantity
    generation_over_facility: Quantity
    lifetime_s: Quantity

    def steps(self) -> dict[Boundary, Quantity]:
        """The factor that leads to each boundary from the one inside it."""
        return {
            Boundary.NODE: self.node_over_chip,
            Boundary.IT: self.it_over_node,
            Boundary.FACILITY: self.pue,
            Boundary.GENERATION: self.generation_over_facility,
        }

    def factors(self) -> dict[str, Quantity]:
        """Every figure by name, for the record."""
        return {name: getattr(self, name) for name in UNITS}


def site(
    zone: str | None = None,
    *,
    region: str | None = None,
    name: str | None = None,
    allow_fallback: bool = False,
    **given: Quantity | None,
) -> Site:
    """A site: what is given, then what its region published, then the tables' assumptions.

    Args:
        zone: a grid zone ("US", "FRA"); without it the place is unknown and the band is wide.
        region: a published data centre ("google-glam") whose figures are taken.
        name: in words.
        allow_fallback: take the world's average for a zone that is not known.
        given: quantities by the names of `Site`; a None is as if not given.

    Raises:
        MissingDataError: the zone is not known and no fallback was allowed.
        InputError: an unknown name or a wrong unit among `given`.
    """
    known = {key: value for key, value in given.items() if value is not None}
    for key, value in known.items():
        if key not in UNITS:
            raise InputError(f"expected a figure of a site: {', '.join(UNITS)}", key)
        if value.unit != UNITS[key]:
            raise InputError(f"expected {key} in {UNITS[key]}", value.unit)
    if region is not None:
        published = grid.region(region)
        zone = zone or published.zone
        known = _published(published) | known
    found = _assumed(zone, allow_fallback, known) | known
    words = name or (region and grid.region(region).name) or zone or "place not given"
    return Site(name=words, zone=zone or "not given", **found)


def of(zone: str | None, pue: float | None) -> Site:
    """The site of a command line: a zone and a PUE, both optional.

    Raises:
        MissingDataError: the zone is not known.
    """
    return site(
        zone, pue=None if pue is None else Quantity.exact(pue, "1", "--pue", Origin.ASSUMED)
    )


def _published(region: Region) -> dict[str, Quantity]:
    values = {
        "pue": region.pue,
        "wue": region.wue_l_per_kwh,
        "ewif": region.ewif_l_per_kwh,
        "grid_location": region.location_g_per_kwh,
        "grid_market": region.market_g_per_kwh,
    }
    source = f"{region.name}: {region.source} ({region.year})"
    return {
        key: Quantity.exact(value, UNITS[key], source)
        for key, value in values.items()
        if value is not None
    }


def _assumed(
    zone: str | None, allow_fallback: bool, known: Mapping[str, Quantity]
) -> dict[str, Quantity]:
    """Every figure of a site, from the tables or missing with its reason."""
    found = {
        key: Quantity.absent(unit, _REASONS[key]) for key, unit in UNITS.items() if key in _REASONS
    }
    for key in ("pue", "node_over_chip", "it_over_node", "generation_over_facility"):
        found[key] = grid.overhead(key)
    found["lifetime_s"] = grid.overhead("lifetime_years").scaled(365.25 * S_PER_DAY, "s")
    # A zone is not looked up when its factor is given: it is then only a name.
    if "grid_location" not in known:
        found["grid_location"] = (
            grid.unknown_place()
            if zone is None
            else grid.zone(zone, allow_fallback=allow_fallback).g_per_kwh
        )
    return found


_REASONS = {
    "grid_market": "no clean-energy contract was named; the location figure is no substitute",
    "wue": "no water usage of the site was given (L an IT kWh)",
    "ewif": "no water intensity of the grid was given (L a kWh)",
    "electricity_price": "no price of electricity was given (USD a kWh)",
    "chip_price": "no price of a chip-hour was given",
}


assert {*UNITS} == {field.name for field in fields(Site)} - {"name", "zone"}
