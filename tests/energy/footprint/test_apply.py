"""A record on a site: what is known is computed, what is not stays missing, nothing is silent."""

import importlib.util
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.errors import InputError, MissingDataError
from energy.facts import grid, grid_codecarbon
from energy.facts.site import site
from energy.footprint.apply import at_site, moved
from energy.quantity import Boundary, Origin, Quantity
from energy.units import J_PER_KWH
from tests.support.records import run_record


def exact(value, unit):
    return Quantity.exact(value, unit, "test")


def test_a_place_that_nobody_named_is_a_band_over_the_world_and_says_so():
    record = at_site(run_record(), site())
    co2 = record.co2_location_g
    assert co2.origin is Origin.ASSUMED
    assert "NO ZONE GIVEN" in co2.source
    assert co2.high / co2.low > 3
    assert record.labels["zone"] == "not given"


def test_a_zone_that_is_not_known_is_refused_and_a_fallback_is_loud():
    with pytest.raises(MissingDataError, match="FRA") as refused:
        site("Frence")
    assert refused.value.exit_code == 4
    allowed = site("Frence", allow_fallback=True).grid_location
    assert allowed.origin is Origin.ASSUMED
    assert allowed.source.startswith("FALLBACK: no factor for Frence")


def test_market_water_and_cost_stay_missing_until_the_site_says_them():
    record = at_site(run_record(), site("FRA"))
    for field in ("co2_market_g", "water_l", "cost_usd", "co2_embodied_g"):
        quantity = getattr(record, field)
        assert quantity.value is None, field
        assert quantity.source, field
    assert record.co2_location_g.value is not None


def test_a_record_that_is_moved_to_its_own_zone_keeps_its_contracts():
    record = at_site(run_record(), site("FRA", grid_market=20.0))
    assert moved(record, "France", None).co2_market_g == record.co2_market_g
    assert moved(record, "DEU", None).co2_market_g.value is None


def test_the_water_of_a_record_is_that_of_the_formula():
    it_kwh = 100
    place = site(pue=exact(1.2, "1"), wue=exact(1, "L/kWh"), ewif=exact(3, "L/kWh"))
    record = at_site(run_record(it_j=it_kwh * J_PER_KWH), place)
    assert record.water_l.value == pytest.approx(460)


def test_half_known_water_names_the_half_that_it_leaves_out():
    record = at_site(run_record(), site(wue=exact(1, "L/kWh")))
    assert any("grid" in part.device for part in record.water_l.missing)


def test_chips_cost_by_the_hour_where_they_have_a_price_else_the_electricity():
    record = run_record(it_j=3.6e6, pue=1.0, elapsed_s=3600.0, chips=8)
    tariff = exact(0.1, "USD/kWh")
    alone = at_site(record, site(pue=exact(1, "1"), electricity_price=tariff))
    assert alone.cost_usd.value == pytest.approx(0.1)
    assert alone.cost_usd.source.startswith("electricity alone")
    rented = at_site(record, site(electricity_price=tariff, chip_price=exact(2, "USD/h")))
    assert rented.cost_usd.value == pytest.approx(16)


def test_embodied_carbon_follows_the_chip_that_the_record_names():
    record = run_record(elapsed_s=3.6e6, chip="h100-sxm5-80gb")
    grams = at_site(record, site()).co2_embodied_g
    # 1,000 h of 4 years (3 to 6): 575 kg bottom-up, 164 kg by the maker's sheet.
    share = 1000 / (4 * 365.25 * 24)
    assert grams.value == pytest.approx(575e3 * share)
    assert grams.low <= 164e3 * share < grams.value < grams.high
    assert grams.origin == "assumed"
    factors = at_site(record, site()).factors
    assert factors["embodied_bottom_up_kg"].value == 575
    assert factors["embodied_maker_kg"].value == 164
    other = at_site(run_record(chip="tpu-v4"), site()).co2_embodied_g
    assert "no embodied carbon of tpu-v4" in other.source


def test_chips_of_one_comparison_have_one_method():
    """H100, H200 and B200 bottom-up (BoaviztAPI 2.5.0): 575, 1,067 and 1,415 kg; each band holds
    the maker's sheet where there is one."""
    grams = [
        at_site(run_record(elapsed_s=3.6e6, chip=name), site()).co2_embodied_g
        for name in ("h100-sxm5-80gb", "h200-sxm5-141gb", "b200-sxm-180gb")
    ]
    ratios = [each.value / grams[0].value for each in grams]
    assert ratios == pytest.approx([1, 1067 / 575, 1415 / 575])
    assert all("bottom-up" in each.source for each in grams)


@given(st.floats(1, 3), st.floats(1, 3))
def test_energy_and_carbon_never_fall_when_pue_rises(pue_a, pue_b):
    low, high = (at_site(run_record(), site(pue=exact(pue, "1"))) for pue in sorted((pue_a, pue_b)))
    assert low.totals[Boundary.FACILITY].value <= high.totals[Boundary.FACILITY].value
    assert low.co2_location_g.value <= high.co2_location_g.value


def test_another_site_is_computed_from_the_runs_own_joules():
    here = at_site(run_record(), site(region="google-t5"))
    there = at_site(here, site(region="openai-gpt3"))
    assert there.totals == at_site(run_record(), site(region="openai-gpt3")).totals
    assert there.totals[Boundary.IT] == here.totals[Boundary.IT]
    assert there.factors["pue"].value == 1.10


def test_a_published_site_brings_its_figures_and_a_given_one_wins():
    place = site(region="google-glam")
    assert (place.pue.value, place.grid_market.value) == (1.11, 88)
    assert "arXiv:2112.06905" in place.pue.source
    assert site(region="google-glam", pue=exact(1.5, "1")).pue.value == 1.5


def test_a_figure_in_the_wrong_unit_is_refused():
    with pytest.raises(InputError, match="g/kWh"):
        site(grid_location=exact(0.4, "kg/kWh"))


def country_mixes():
    spec = importlib.util.find_spec("codecarbon")
    file = Path(spec.submodule_search_locations[0]) / "data/private_infra/global_energy_mix.json"
    return json.loads(file.read_text())


def test_every_country_factor_shows_the_year_of_its_data():
    mixes = country_mixes()
    for code in ("FRA", "USA", "POL"):
        zone = grid.zone(code)
        assert zone.g_per_kwh.value == mixes[code]["carbon_intensity"]
        assert zone.year == int(mixes[code]["year"])
        assert str(zone.year) in zone.g_per_kwh.source
        assert "CodeCarbon" in zone.g_per_kwh.source
    assert "year not stated" in grid.zone("gcp:europe-west1").g_per_kwh.source


def test_a_factor_of_zero_is_a_gap_not_clean_power():
    gaps = [code for code, mix in country_mixes().items() if not mix["carbon_intensity"]]
    assert gaps
    assert not {zone.id for zone in grid.zones()} & set(gaps)


def test_the_band_of_the_world_is_that_of_the_countries_electricity():
    rows = sorted(
        (mix["carbon_intensity"], mix["total_TWh"])
        for mix in country_mixes().values()
        if mix["carbon_intensity"]
    )
    whole = sum(twh for _, twh in rows)

    def quantile(share):
        reached = 0.0
        for intensity, twh in rows:
            reached += twh
            if reached >= share * whole:
                return intensity
        raise AssertionError("shares end at 1")

    world = grid.unknown_place()
    assert world.low == pytest.approx(quantile(0.1), rel=2e-3)
    assert world.high == pytest.approx(quantile(0.9), rel=2e-3)
    assert world.value == pytest.approx(sum(i * twh for i, twh in rows) / whole, rel=0.03)


def test_without_codecarbon_the_error_says_which_extra_brings_it(monkeypatch):
    monkeypatch.setattr(grid_codecarbon, "find_spec", lambda _name: None)
    grid.zones.cache_clear()
    grid_codecarbon.zones.cache_clear()
    try:
        assert grid.zone("US").g_per_kwh.value == 429
        with pytest.raises(MissingDataError, match="extra carbon"):
            grid.zone("FRA")
    finally:
        grid.zones.cache_clear()
        grid_codecarbon.zones.cache_clear()
