"""Boundaries, water and carbon: the papers' figures, and the laws behind them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.facts.site import site
from energy.footprint.account import account, quantity_times, raised
from energy.footprint.apply import at_site, embodied_g
from energy.quantity import Boundary, Origin, Quantity
from energy.units import J_PER_KWH, S_PER_DAY, S_PER_HOUR
from tests.support.records import run_record

positive = st.floats(1e-3, 1e12)
pues = st.floats(1, 3)


def exact(value, unit, origin=Origin.MEASURED):
    return Quantity.exact(value, unit, "test", origin)


def test_ten_thousand_h100_draw_13_megawatts_at_the_contract():
    # 7.0 MW of chips, x 1.3 the node, x 1.3 the facility: 11.8 MW (x 1.1 of reserve: 13.0 MW).
    steps = {
        Boundary.NODE: exact(1.3, "1"),
        Boundary.IT: exact(1.0, "1"),
        Boundary.FACILITY: exact(1.3, "1"),
    }
    totals = raised({Boundary.CHIP: exact(7.0e6, "J")}, steps, quantity_times)
    assert totals[Boundary.NODE].value == pytest.approx(9.1e6)
    assert totals[Boundary.FACILITY].value == pytest.approx(11.83e6)
    assert Boundary.GENERATION not in totals, "a boundary without a factor is not invented"


def test_a_measured_boundary_is_never_replaced_by_a_factor():
    measured = {Boundary.CHIP: exact(100, "J"), Boundary.NODE: exact(250, "J")}
    steps = {Boundary.NODE: exact(1.3, "1", Origin.ASSUMED), Boundary.IT: exact(1.1, "1")}
    totals = raised(measured, steps, quantity_times)
    assert totals[Boundary.NODE].value == 250
    assert totals[Boundary.IT].value == pytest.approx(275)


def test_an_assumed_factor_makes_the_wider_joules_assumed():
    steps = {Boundary.NODE: exact(1.3, "1", Origin.ASSUMED)}
    totals = raised({Boundary.CHIP: exact(100, "J")}, steps, quantity_times)
    assert totals[Boundary.NODE].origin is Origin.ASSUMED


def test_a_boundary_is_never_derived_from_a_wider_joule_count():
    totals = raised({Boundary.FACILITY: exact(1, "J")}, site().steps(), quantity_times)
    assert set(totals) == {Boundary.FACILITY, Boundary.GENERATION}


def test_embodied_carbon_is_the_share_of_the_life():
    # 164 kg an H100 (HGX product carbon footprint), 1,000 h of 4 years.
    life = exact(4 * 365.25 * S_PER_DAY, "s")
    share = embodied_g(164, exact(1000 * S_PER_HOUR, "s"), life)
    assert share.value == pytest.approx(4677, rel=1e-3)
    assert share.origin == "assumed", "kilograms are assumed, however exact the hours"


def test_emissions_of_a_missing_energy_are_missing_not_zero():
    unread = {Boundary.CHIP: Quantity.absent("J", "no meter")}
    result = account(unread, site(), quantity_times, exact(1, "s"))
    assert result.co2_location_g.value is None
    assert "no meter" in result.co2_location_g.source


def on_site(pue, wue=1.0, ewif=3.0, it_j=100 * J_PER_KWH):
    place = site(pue=exact(pue, "1"), wue=exact(wue, "L/kWh"), ewif=exact(ewif, "L/kWh"))
    return at_site(run_record(it_j=it_j), place)


def test_water_counts_pue_once_and_on_the_grid_only():
    # Li et al., arXiv:2304.03271. PUE on the site's part would give 480 L, PUE twice 552 L.
    assert on_site(1.2).water_l.value == pytest.approx(460)


@given(positive, pues, st.floats(0.01, 10))
def test_water_of_the_site_does_not_depend_on_pue(it_j, pue, wue):
    of_site = it_j / J_PER_KWH * wue
    assert on_site(pue, wue, 0.0, it_j).water_l.value == pytest.approx(of_site)
    assert on_site(pue, wue, 1.0, it_j).water_l.value >= of_site


@given(positive, pues, pues)
def test_facility_energy_never_falls_when_pue_rises(it_j, pue_a, pue_b):
    low, high = (
        on_site(pue, it_j=it_j).totals[Boundary.FACILITY].value for pue in sorted((pue_a, pue_b))
    )
    assert low <= high
