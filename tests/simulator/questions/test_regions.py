"""Places, and a run moved to each of them."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.errors import InputError, MissingDataError
from energy.facts.site import site
from energy.footprint.apply import at_site
from energy.quantity import Boundary, Quantity
from simulator.questions.regions.answer import choose, move, ordered, ordered_runs, places
from tests.support.records import run_record


def run(pue=1.2, it_j=3.6e9 * 100):
    building = site(
        "US",
        pue=Quantity.exact(pue, "1", "test"),
        wue=Quantity.exact(0.5, "L/kWh", "test"),
        ewif=Quantity.exact(2.0, "L/kWh", "test"),
    )
    return at_site(run_record(it_j=it_j), building)


@settings(max_examples=20)
@given(st.floats(1, 2), st.floats(1e6, 1e15))
def test_between_zones_only_the_grid_differs(pue, it_j):
    zones = choose(places(), kind="zone")[:6]
    for moved in move(run(pue, it_j), zones):
        facility = moved.facility_j.value
        assert facility == pytest.approx(it_j * pue)
        grams = facility / 3.6e6 * moved.place.location.value
        assert moved.record.co2_location_g.value == pytest.approx(grams)


def test_a_data_centre_brings_its_own_pue_and_factors():
    # Patterson et al. (arXiv:2104.10350, table 4): 1.10, 429 g/kWh: 110 MWh and 47.19 t.
    (moved,) = move(run(), choose(places(), ["openai-gpt3"]))
    assert moved.facility_j.value / 3.6e9 == pytest.approx(110)
    assert moved.record.co2_location_g.value / 1e6 == pytest.approx(47.19)
    assert moved.record.co2_market_g.value is None
    (glam,) = move(run(), choose(places(), ["google-glam"]))
    assert glam.record.co2_market_g.value / 1e6 == pytest.approx(111 * 0.088)
    # Its gross factor is not published: it is missing, not the world's average.
    assert glam.record.co2_location_g.value is None


def test_contracts_and_the_grids_water_stay_behind():
    (moved,) = move(run(), choose(places(), ["US"], kind="zone"))
    assert moved.record.co2_market_g.value is None
    assert moved.record.water_l.missing or moved.record.water_l.value == pytest.approx(100e3 * 0.5)


def test_moving_a_moved_run_is_the_same_as_moving_it_once():
    us, world = choose(places(), ["US", "world"])
    (there,) = move(run(), [us])
    (back,) = move(there.record, [world])
    (direct,) = move(run(), [world])
    assert back.record.co2_location_g == direct.record.co2_location_g
    assert back.record.totals[Boundary.FACILITY] == direct.record.totals[Boundary.FACILITY]


@pytest.mark.parametrize("by", ["co2", "market", "pue", "water", "name", "year"])
def test_places_are_sorted_and_what_is_unknown_comes_last(by):
    found = ordered(places(), by)
    keys = {"co2": "location", "market": "market", "pue": "pue", "water": "ewif"}
    values = [getattr(place, keys.get(by, by)) for place in found]
    plain = [getattr(value, "value", value) for value in values]
    known = [value.lower() if by == "name" else value for value in plain if value is not None]
    assert known == sorted(known)
    assert None not in plain[: len(known)]
    runs = ordered_runs(move(run(), found[:3]), by)
    assert len(runs) == 3


def test_places_are_filtered():
    assert all(place.kind == "site" for place in choose(places(), kind="site"))
    assert all(place.location.value <= 450 for place in choose(places(), below=450))
    with pytest.raises(MissingDataError, match="place that fits"):
        choose(places(), ["Atlantis"])
    with pytest.raises(InputError, match="--kind"):
        choose(places(), kind="zones")


def test_the_verb_lists_places_with_source_and_status(simulator):
    code, out, err = simulator("regions", "--json")
    rows = json.loads(out)
    assert (code, err) == (0, "")
    assert len(rows) == len(places())
    assert all(row["source"] and row["status"] for row in rows)
    code, out, _ = simulator("regions", "--kind", "site", "--sort", "pue")
    assert (code, "google-meena" in out) == (0, True)


def test_the_verb_moves_a_published_run(simulator):
    code, out, _ = simulator("regions", "--of", "gpt3-175b", "US", "openai-gpt3", "--json")
    rows = {row["place"]: row for row in json.loads(out)["places"]}
    assert code == 0
    for row in rows.values():
        assert row["energy_mwh"]["value"] == pytest.approx(1287, rel=0.003)
        assert row["co2_location_t"]["value"] == pytest.approx(552, rel=0.003)
    code, out, _ = simulator("regions", "--of", "gpt3-175b", "--top", 5)
    assert (code, "gpt3-175b, at each place" in out) == (0, True)
    assert simulator("regions", "--sort", "height")[0] == 2
    assert simulator("regions", "Atlantis")[0] == 4
