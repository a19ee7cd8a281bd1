"""A site: its own figures first, then those its region published, then assumptions."""

from dataclasses import fields

import pytest

from energy.errors import InputError
from energy.facts.site import UNITS, Site, site, site_from_options
from energy.quantity import Origin, Quantity


def test_every_figure_of_a_site_has_a_unit():
    assert set(UNITS) == {field.name for field in fields(Site)} - {"name", "zone"}


def test_a_stated_figure_wins_over_the_published_one_and_that_over_the_assumption():
    pue = Quantity.exact(1.05, "1", "own meter")
    assert site().pue.origin is Origin.ASSUMED
    assert site(region="google-glam").pue.value == 1.11
    assert site(region="google-glam", pue=pue).pue == pue
    assert site(region="google-glam").name == "Google data center of the GLaM run"
    moved = site("FRA", region="google-glam")
    assert moved.name == "Google data center of the GLaM run, moved to FRA"


def test_water_of_a_site_prices_and_contracts_are_never_assumed():
    place = site("FRA")
    for figure in (place.wue, place.chip_price, place.electricity_price):
        assert figure.value is None
    assert place.grid_market.value is None
    assert place.grid_market.source


def test_a_figure_of_an_unknown_name_or_unit_is_refused():
    with pytest.raises(InputError, match="expected a figure of a site"):
        site(pu=Quantity.exact(1.1, "1", "typo"))
    with pytest.raises(InputError, match="expected pue in 1; got %"):
        site(pue=Quantity.exact(110, "%", "wrong unit"))


def test_the_options_of_a_command_line_make_a_site():
    place = site_from_options("FRA", 1.2)
    assert (place.zone, place.pue.value, place.pue.source) == ("FRA", 1.2, "--pue")
    assert site_from_options(None, None).zone == "not given"


def test_a_number_is_an_assumption_of_the_caller_in_the_unit_of_its_figure():
    pue = site("FRA", pue=1.2).pue
    assert (pue.value, pue.unit, pue.origin) == (1.2, "1", Origin.ASSUMED)
    assert site(electricity_price=0.1).electricity_price.unit == "USD/kWh"


@pytest.mark.parametrize("pue", [0.5, -1, 0, float("nan"), float("inf"), "1.2"])
def test_a_site_that_uses_less_than_its_computers_is_refused(pue):
    with pytest.raises(InputError, match="expected pue of 1 or more"):
        site_from_options(None, pue)
    with pytest.raises(InputError, match="expected chip_price of 0 or more"):
        site(chip_price=-1)


def test_a_zone_replaces_the_grid_of_a_data_center_and_its_contracts_and_keeps_its_building():
    there, here = site(region="google-t5"), site("FRA", region="google-t5")
    assert there.grid_location.value == there.grid_market.value == 545
    assert here.grid_location == site("FRA").grid_location
    assert here.grid_market.value is None
    assert "of another zone" in here.grid_market.source
    assert here.pue == there.pue
    assert site("FRA", region="google-t5", grid_market=20.0).grid_market.value == 20.0
    assert site("US", region="openai-gpt3").grid_location.value == 429  # its own zone
