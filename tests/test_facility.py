"""Boundaries, water, carbon and goodput: the papers' figures, and the laws behind them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy import carbon, facility, goodput
from energy.errors import BoundaryError, InputError
from energy.quantity import Boundary, Origin, Quantity
from energy.record import raise_boundary
from energy.units import J_PER_KWH, S_PER_DAY, S_PER_HOUR

positive = st.floats(1e-3, 1e12)
pues = st.floats(1, 3)


def exact(value, unit, origin=Origin.MEASURED):
    return Quantity.exact(value, unit, "test", origin)


def test_water_counts_pue_once_and_on_the_grid_only():
    # Li et al., arXiv:2304.03271. PUE on the site's part would give 480 L, PUE twice 552 L.
    assert facility.water_l(100, 1.2, 1.0, 3.0) == pytest.approx(460)


@given(positive, pues, st.floats(0, 10), st.floats(0, 10))
def test_water_of_the_site_does_not_depend_on_pue(it_kwh, pue, wue, ewif):
    site_only = facility.water_l(it_kwh, pue, wue, 0.0)
    assert site_only == pytest.approx(it_kwh * wue)
    assert facility.water_l(it_kwh, pue, wue, ewif) >= site_only


@given(positive, pues, pues)
def test_facility_energy_never_falls_when_pue_rises(it_j, one, other):
    low, high = sorted((one, other))
    assert facility.facility_j(it_j, low) <= facility.facility_j(it_j, high)


def test_carbon_usage_effectiveness_is_intensity_times_pue():
    assert facility.cue_g_per_kwh(429, 1.10) == pytest.approx(471.9)


def test_ten_thousand_h100_draw_13_megawatts_at_the_contract():
    # 7.0 MW of chips, x 1.3 the node, x 1.3 the facility: 11.8 MW (x 1.1 of reserve: 13.0 MW).
    steps = {
        Boundary.NODE: exact(1.3, "1"),
        Boundary.IT: exact(1.0, "1"),
        Boundary.FACILITY: exact(1.3, "1"),
    }
    raised = facility.raised({Boundary.CHIP: exact(7.0e6, "J")}, steps)
    assert raised[Boundary.NODE].value == pytest.approx(9.1e6)
    assert raised[Boundary.FACILITY].value == pytest.approx(11.83e6)
    assert Boundary.GENERATION not in raised, "a boundary without a factor is not invented"


def test_a_measured_boundary_is_never_replaced_by_a_factor():
    measured = {Boundary.CHIP: exact(100, "J"), Boundary.NODE: exact(250, "J")}
    steps = {Boundary.NODE: exact(1.3, "1", Origin.ASSUMED), Boundary.IT: exact(1.1, "1")}
    raised = facility.raised(measured, steps)
    assert raised[Boundary.NODE].value == 250
    assert raised[Boundary.IT].value == pytest.approx(275)


def test_an_assumed_factor_makes_the_wider_joules_assumed():
    steps = {Boundary.NODE: exact(1.3, "1", Origin.ASSUMED)}
    raised = facility.raised({Boundary.CHIP: exact(100, "J")}, steps)
    assert raised[Boundary.NODE].origin is Origin.ASSUMED


def test_a_boundary_is_not_lowered():
    with pytest.raises(BoundaryError):
        raise_boundary(exact(1, "J"), Boundary.FACILITY, Boundary.IT, exact(1.1, "1"))


def test_a_changing_grid_is_weighted_by_the_energy_of_each_hour():
    found = carbon.hourly_g([1 * J_PER_KWH, 3 * J_PER_KWH], [100, 500])
    assert found == pytest.approx(1600)


@given(st.lists(positive, min_size=1, max_size=24), st.floats(1, 1500))
def test_a_constant_grid_gives_the_annual_figure(series_j, intensity):
    whole = carbon.operational_g(exact(sum(series_j), "J"), exact(intensity, "g/kWh"))
    assert carbon.hourly_g(series_j, [intensity] * len(series_j)) == pytest.approx(whole.value)


def test_an_hour_without_an_intensity_is_refused():
    with pytest.raises(InputError, match="an intensity for each hour"):
        carbon.hourly_g([1.0, 2.0], [400.0])


def test_embodied_carbon_is_the_share_of_the_life():
    # 164 kg an H100 (HGX product carbon footprint), 1,000 h of 4 years.
    life = exact(4 * 365.25 * S_PER_DAY, "s")
    found = carbon.embodied_g(164, exact(1000 * S_PER_HOUR, "s"), life)
    assert found.value == pytest.approx(4677, rel=1e-3)


def test_emissions_of_a_missing_energy_are_missing_not_zero():
    found = carbon.operational_g(Quantity.absent("J", "no meter"), exact(400, "g/kWh"))
    assert found.value is None
    assert "no meter" in found.source


def test_llama_3_fails_every_three_hours_and_saves_every_nineteen_minutes():
    # arXiv:2407.21783: 419 unexpected failures of 16,384 GPUs in 54 days.
    gpu_mtbf_s = 16_384 * 54 * S_PER_DAY / 419
    assert gpu_mtbf_s / S_PER_HOUR == pytest.approx(50_700, rel=2e-3)
    job = goodput.mtbf_s(gpu_mtbf_s, 16_384)
    assert job / S_PER_HOUR == pytest.approx(3.1, rel=0.01)
    assert goodput.best_checkpoint_interval_s(60, job) / 60 == pytest.approx(19, rel=0.03)


@given(st.floats(1, 100), st.floats(1e4, 1e6), st.floats(0.1, 10))
def test_no_other_interval_loses_less_than_the_best(save_s, mtbf_s, other):
    best = goodput.best_checkpoint_interval_s(save_s, mtbf_s)
    at_best = goodput.expected_goodput(best, save_s, mtbf_s)
    assert at_best >= goodput.expected_goodput(best * other, save_s, mtbf_s) - 1e-12


def test_goodput_is_productive_over_elapsed_time():
    assert goodput.goodput(90, 100) == pytest.approx(0.9)
    assert goodput.expected_goodput(1157, 60, 11_160) == pytest.approx(0.896, abs=1e-3)
