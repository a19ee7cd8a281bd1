"""A record at a site: wider boundaries, CO2e, water, cost, and the factors that gave them.

Measured and predicted records go through the same lines. Applying another site to the same
record answers "what if it had run there": everything here is computed anew from the record's own
joules, never from what an earlier site made of them.

Five figures of CO2e are kept apart: by the average of the grid (location, gross) and after clean
contracts (market, net), each by the factor of a year and by those of the hours of the run, and the
embodied share of the hardware. They are never added or netted here; offsets and reused heat change
none of them. Intensities are averages: marginal ones answer another question (what a change of
schedule would cause).
"""

from __future__ import annotations

from typing import Any

from energy.arithmetic import multiply
from energy.facts import grid
from energy.facts.catalog import known_chip
from energy.facts.embodied import factor_of, kilograms, methods_of
from energy.facts.site import OF_THE_GRID, UNITS, UNKNOWN_ZONE, Site, site, site_from_options
from energy.footprint.account import KWH, Product, account, quantity_times
from energy.quantity import Boundary, Origin, Quantity
from energy.record import NOT_HOURLY, RunRecord, totals
from energy.units import G_PER_KG


def at_site(record: RunRecord, site: Site) -> RunRecord:
    """The record with its footprint at a site.

    Fills `totals` at wider boundaries, the five figures of CO2e, `water_l`, `cost_usd`, and in
    `factors` everything that they were computed from. What the site does not know stays missing
    with its reason.

    Args:
        record: with joules by device in `energy`, or else in `totals`.
        site: where it ran, or would run.
    """
    joules = totals(record.energy) or dict(record.totals)
    result = account(joules, site, quantity_times, record.chip_s)
    missing = {
        Boundary.FACILITY: "the record has no joules",
        Boundary.IT: "the record has no joules inside IT",
    }

    def or_missing(quantity: Quantity | None, unit: str, boundary: Boundary) -> Quantity:
        return Quantity.absent(unit, missing[boundary]) if quantity is None else quantity

    cost = or_missing(result.cost_usd, "USD", Boundary.FACILITY)
    if not result.rented and cost.value is not None:
        cost = cost.model_copy(update={"source": f"electricity alone: {cost.source}"})
    return record.model_copy(
        update={
            "totals": result.totals,
            "co2_location_g": or_missing(result.co2_location_g, "g", Boundary.FACILITY),
            "co2_market_g": or_missing(result.co2_market_g, "g", Boundary.FACILITY),
            **_hourly(result.totals.get(Boundary.FACILITY), site),
            "co2_embodied_g": _embodied(record, site),
            "water_l": or_missing(result.water_l, "L", Boundary.IT),
            "cost_usd": cost,
            "factors": {**record.factors, **site.factors(), **_making(record)},
            "labels": {**record.labels, "zone": site.zone, "site": site.name},
        }
    )


def _hourly(facility: Quantity | None, site: Site) -> dict[str, Quantity]:
    """CO2e by the hours of the run: facility joules times the mean of a series by its joules.

    Two hours of 1 kWh at 100 g/kWh and 3 kWh at 500 g/kWh: mean 400 g/kWh, 1,600 g for 4 kWh.
    """
    return {
        f"co2_{method}_hourly_g": NOT_HOURLY
        if facility is None or factor.value is None
        else quantity_times(facility, factor, Product("CO2e", "g", "grid, hourly", KWH))
        for method, factor in (
            ("location", site.grid_location_hourly),
            ("market", site.grid_market_hourly),
        )
    }


def moved(record: RunRecord, zone: str | None, pue: float | None) -> RunRecord:
    """The record at another zone, or with another PUE; its other factors stay.

    Raises:
        MissingDataError: the zone is unknown.
        InputError: the PUE is below 1.
    """
    if zone is None and pue is None:
        return record
    changed = {} if pue is None else {"pue": site_from_options(None, pue).pue}
    return with_figures(record, zone, **changed)


def with_figures(record: RunRecord, zone: str | None = None, **changed: Quantity) -> RunRecord:
    """The record with some figures of its site changed; its other factors stay.

    Args:
        record: of a run.
        zone: another zone than its own, which replaces all of its grid; its own changes nothing.
        changed: by the names of `energy.facts.site.Site`.

    Raises:
        MissingDataError: the zone is unknown.
    """
    if zone and grid.zone(zone).id == record.labels.get("zone"):
        zone = None
    figures: dict[str, Any] = {
        name: factor
        for name, factor in record.factors.items()
        if name in UNITS and factor.value is not None and not (zone and name in OF_THE_GRID)
    } | changed
    known = record.labels.get("zone", UNKNOWN_ZONE)
    kept = None if known == UNKNOWN_ZONE else known
    name = None if zone else record.labels.get("site")
    return at_site(record, site(zone or kept, name=name, **figures))


def embodied_g(device_kg: Quantity | float, device_s: Quantity, lifetime_s: Quantity) -> Quantity:
    """Grams of CO2e of making the devices, the share of the run (ISO/IEC 21031, SCI): M.

    M = TE x (time reserved / lifetime), time summed over all devices.
    164 kg an H100, 1,000 h of 35,064 h (4 years): 4.68 kg.

    >>> hours = Quantity.exact(1000 * 3600, "s", "stated")
    >>> life = Quantity.exact(35064 * 3600, "s", "4 years")
    >>> embodied_g(164, hours, life).human()
    '4.68 kg'

    Args:
        device_kg: kilograms of CO2e of making one device; a number is an assumption.
        device_s: seconds, summed over the devices.
        lifetime_s: seconds that a device serves.
    """
    if not isinstance(device_kg, Quantity):
        device_kg = Quantity.exact(device_kg, "kg", "set by the caller", Origin.ASSUMED)
    share = multiply(device_s, lifetime_s, "1", divide=True)
    return multiply(share, device_kg, "kg").scaled(G_PER_KG, "g")


def _embodied(record: RunRecord, site: Site) -> Quantity:
    """Making the chips, by the share of their life; hosts only where the row's scope has them."""
    name = record.labels.get("chip")
    if not name:
        return Quantity.absent("g", "the record names no chip of the catalog (label chip)")
    row = known_chip(name)
    if row is None:
        return Quantity.absent("g", f"{name} is no chip of the catalog")
    methods = methods_of(row)
    if not methods:
        return Quantity.absent("g", f"no embodied carbon of {row.id} is published")
    share = embodied_g(kilograms(methods), record.chip_s, site.lifetime_s)
    source = f"a chip by method: {'; '.join(map(str, methods))}; {methods[0].scope}"
    return share.model_copy(update={"source": source})


def _making(record: RunRecord) -> dict[str, Quantity]:
    """Kilograms a chip by each method that is published, for the factors of a record."""
    row = known_chip(record.labels.get("chip", ""))
    if row is None:
        return {}
    return {
        factor_of(method.method): Quantity.exact(
            method.kg, "kg", f"{method.source}: {method.scope}", Origin.ASSUMED
        )
        for method in methods_of(row)
    }
