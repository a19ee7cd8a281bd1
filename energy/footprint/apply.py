"""A record and a site make a footprint: wider boundaries, CO2, water, cost, factors.

Measured and predicted records go through the same lines. Applying another site to the same
record answers "what if it had run there": everything here is computed anew from the record's own
joules, never from what an earlier site made of them.
"""

from __future__ import annotations

from energy.arithmetic import add, multiply
from energy.errors import InputError
from energy.facts.catalog import chip
from energy.facts.site import Site
from energy.footprint import carbon, facility
from energy.quantity import Boundary, Quantity
from energy.record import RunRecord, totals
from energy.units import J_PER_KWH, S_PER_HOUR


def apply(record: RunRecord, site: Site) -> RunRecord:
    """The record with its footprint at a site.

    Totals at wider boundaries, `co2_location_g`, `co2_market_g`, `co2_embodied_g`, `water_l`,
    `cost_usd`, and in `factors` all that they were computed with. What the site does not know
    stays missing with its reason. GLaM at 600B tokens: 410.6 MWh of IT, PUE 1.11 and 88 g/kWh
    net give 455.8 MWh and 40.1 t.

    Args:
        record: with joules by device in `energy`, or else in `totals`.
        site: where it ran, or would run.
    """
    own = totals(record.energy) or dict(record.totals)
    raised = facility.raised(own, site.steps())
    whole = raised.get(Boundary.FACILITY, Quantity.absent("J", "the record has no joules"))
    it = raised.get(Boundary.IT, Quantity.absent("J", "the record has no joules inside IT"))
    return record.model_copy(
        update={
            "totals": raised,
            "co2_location_g": carbon.operational_g(whole, site.grid_location),
            "co2_market_g": carbon.operational_g(whole, site.grid_market),
            "co2_embodied_g": _embodied(record, site),
            "water_l": _water(it, site),
            "cost_usd": _cost(record, whole, site),
            "factors": {**record.factors, **site.factors()},
            "labels": {**record.labels, "zone": site.zone, "site": site.name},
        }
    )


def _embodied(record: RunRecord, site: Site) -> Quantity:
    """Making the chips, by the share of their life; hosts only where the row's scope holds them."""
    name = record.labels.get("chip")
    if not name:
        return Quantity.absent("g", "the record names no chip of the catalog (label chip)")
    try:
        row = chip(name)
    except InputError:
        return Quantity.absent("g", f"{name} is no chip of the catalog")
    if row.embodied_kg is None:
        return Quantity.absent("g", f"no embodied carbon of {row.id} is published")
    found = carbon.embodied_g(row.embodied_kg, record.chip_s, site.lifetime_s)
    scope = f"{row.embodied_kg:g} kg a chip ({row.embodied_scope}); {found.source}"
    return found.model_copy(update={"source": scope})


def _water(it_j: Quantity, site: Site) -> Quantity:
    """Site and grid litres; PUE counts once, on the grid's part only."""
    intensity = add(
        [site.wue, multiply(site.pue, site.ewif, "L/kWh")],
        names=["site", "grid"],
        source="WUE + PUE x EWIF",
    )
    if intensity.value is None:
        return Quantity.absent("L", intensity.source)
    return multiply(it_j, intensity, "L").scaled(1 / J_PER_KWH)


def _cost(record: RunRecord, facility_j: Quantity, site: Site) -> Quantity:
    """Hours of the chips where they have a price, else the electricity alone."""
    if site.chip_price.value is not None:
        return multiply(record.chip_s, site.chip_price, "USD").scaled(1 / S_PER_HOUR)
    found = multiply(facility_j, site.electricity_price, "USD").scaled(1 / J_PER_KWH)
    if found.value is None:
        return found
    return found.model_copy(update={"source": f"electricity alone: {found.source}"})
