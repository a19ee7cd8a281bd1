"""Places, and a run moved to each of them; the function `regions` and the verb."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.errors import InputError, MissingDataError
from energy.facts.site import site
from energy.footprint.apply import at_site
from energy.quantity import Boundary, Quantity
from simulator.questions.regions.answer import regions
from simulator.questions.regions.moved import RUN_SORT_KEYS, moved
from simulator.questions.regions.places import SORT_KEYS, choose, ordered, places
from tests.support.records import run_record


def record(pue=1.2, it_j=3.6e9 * 100):
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
    for run in moved(record(pue, it_j), choose(kind="zone")[:6]):
        facility = run.facility_j.value
        assert facility == pytest.approx(it_j * pue)
        grams = facility / 3.6e6 * run.place.location.value
        assert run.record.co2_location_g.value == pytest.approx(grams)


def test_a_data_center_brings_its_own_pue_and_factors():
    # Patterson et al. (arXiv:2104.10350, table 4): 1.10, 429 g/kWh: 110 MWh and 47.19 t.
    (gpt3,) = moved(record(), choose(["openai-gpt3"]))
    assert gpt3.facility_j.value / 3.6e9 == pytest.approx(110)
    assert gpt3.record.co2_location_g.value / 1e6 == pytest.approx(47.19)
    assert gpt3.record.co2_market_g.value is None
    (glam,) = moved(record(), choose(["google-glam"]))
    assert glam.record.co2_market_g.value / 1e6 == pytest.approx(111 * 0.088)
    # Its gross factor is not published: it is missing, not the world's average.
    assert glam.record.co2_location_g.value is None


def test_contracts_and_the_water_of_the_grid_stay_behind():
    (run,) = moved(record(), choose(["US"], kind="zone"))
    assert run.record.co2_market_g.value is None
    assert run.record.water_l.missing or run.record.water_l.value == pytest.approx(100e3 * 0.5)


def test_moving_a_run_twice_is_the_same_as_moving_it_once():
    us, world = choose(["US", "world"])
    (there,) = moved(record(), [us])
    (back,) = moved(there.record, [world])
    (direct,) = moved(record(), [world])
    assert back.record.co2_location_g == direct.record.co2_location_g
    assert back.record.totals[Boundary.FACILITY] == direct.record.totals[Boundary.FACILITY]


@pytest.mark.parametrize("by", ["co2", "market", "pue", "water", "name", "year"])
def test_places_are_sorted_with_unknown_values_last(by):
    rows = ordered(places(), SORT_KEYS, by)
    fields = {"co2": "location", "market": "market", "pue": "pue", "water": "ewif"}
    values = [getattr(place, fields.get(by, by)) for place in rows]
    plain = [getattr(value, "value", value) for value in values]
    known = [value.lower() if by == "name" else value for value in plain if value is not None]
    assert known == sorted(known)
    assert None not in plain[: len(known)]
    assert len(ordered(moved(record(), rows[:3]), RUN_SORT_KEYS, by)) == 3


def test_places_are_filtered():
    assert all(place.kind == "site" for place in choose(kind="site"))
    assert all(place.location.value <= 450 for place in choose(below=450))
    with pytest.raises(MissingDataError, match="place that matches"):
        choose(["Atlantis"])
    with pytest.raises(InputError, match="--kind"):
        choose(kind="zones")


def test_the_function_moves_a_record_and_refuses_an_impossible_top():
    run = record()
    answer = regions("US", "world", of=run, kind="zone", top=1)
    assert [row.place.id for row in answer.rows] == ["US"]
    assert answer.record is run
    frame = answer.to_frame()
    assert frame["energy_mwh"].tolist() == pytest.approx([120])
    with pytest.raises(InputError, match="--top"):
        regions(top=0)


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
