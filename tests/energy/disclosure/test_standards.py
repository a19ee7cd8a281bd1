"""Published and worked numbers of the standards, each reproduced by what this project ships.

Elsewhere: the annex of the Guidelines (test_eu_mdf.py), Patterson et al. and the 4M decomposition
(tests/simulator), water and the boundary ladder (tests/energy/footprint), failures
(tests/simulator/physics).
"""

import json

import pytest
from typer.testing import CliRunner

from energy.claims.check import check
from energy.claims.claim import Claim
from energy.cli import command
from energy.disclosure.facts import facts_of
from energy.disclosure.writers.sci import provider_scores
from energy.facts.catalog import chip
from energy.footprint.apply import embodied_g
from energy.quantity import Origin, Quantity
from energy.record import RunRecord
from simulator.runs.reported import record as reported
from simulator.scenarios.request import named
from tests.energy.disclosure.runs import STATED
from tests.support import ROOT

GLAM = ROOT / "docs" / "disclosure" / "glam-64b-64e.json"


def report(*words):
    return CliRunner().invoke(command(), ["report", *map(str, words)])


def test_one_command_gives_the_worked_example_of_glam():
    run = report(GLAM, "--format", "eu-mdf")
    assert run.exit_code == 0, run.stderr
    document = json.loads(run.stdout)
    items = {name: item["value"] for name, item in document["items"].items()}
    assert items["total_parameters"] == 1.2e12
    assert items["size_bucket"] == ">1T"
    assert items["training_compute"] == 3.5e23
    assert items["training_compute_order"] == 1e23
    assert items["training_time"] == 51
    assert items["training_time_bucket"] == "1–3 months"
    assert items["hardware_time"] == 5.2e4
    assert "TPU v4" in document["items"]["hardware_time"]["unit"]
    assert items["training_energy"] == 460
    assert document["items"]["training_energy"]["boundary"] == "facility"
    assert "28.8 times below 1e25" in document["thresholds"][0]
    text = document["energy_methodology"]["text"]
    assert len(text.split()) < 130
    assert "PUE 1.11" in text


def test_the_record_of_the_example_is_what_the_simulator_makes_of_the_publication():
    shipped, made = RunRecord.load(GLAM), reported(named("glam-64b-64e", None, {}))
    assert shipped.quantities() == made.quantities()
    assert shipped.factors == made.factors


def test_glam_spends_a_tenth_of_a_gram_for_a_quadrillion_flop():
    # 40.1 t / 3.48e23 FLOP = 0.115 g per 1e15 FLOP, the paper's net factor, operation alone.
    record = RunRecord.load(GLAM)
    factors = record.factors | {"grid_location": record.factors["grid_market"]}
    net = record.model_copy(update={"co2_location_g": record.co2_market_g, "factors": factors})
    scores = provider_scores(facts_of([net], STATED | {"co2_embodied_g": "0 g"}))["scores"]
    assert scores[0]["value"] == pytest.approx(0.115, rel=0.005)


@pytest.mark.parametrize(
    ("grams", "fact", "count", "place", "score"),
    [
        (2e8, "model_flop", 5e22, 0, 4.0),  # SCI for AI, 9.1.2: right there
        (6.5e6, "tokens", 5e10, 1, 130.0),  # 9.1.1 prints 0.13 g per million tokens
        (7.5e7, "params_total", 2.5e9, 2, 3e7),  # 9.2.2 prints 3,000 and then 30 kg per billion
    ],
)
def test_the_worked_examples_of_sci_for_ai_and_where_they_are_wrong(
    grams, fact, count, place, score
):
    record = RunRecord.load(GLAM)
    unit = "FLOP" if fact == "model_flop" else "1"
    place_known = Quantity.exact(400.0, "g/kWh", "test", Origin.MODELLED)
    changed = record.model_copy(
        update={
            fact: Quantity.exact(count, unit, "test"),
            "co2_location_g": Quantity.exact(grams, "g", "test"),
            "factors": record.factors | {"grid_location": place_known},
        }
    )
    scores = provider_scores(facts_of([changed], STATED | {"co2_embodied_g": "0 g"}))["scores"]
    assert scores[place]["value"] == pytest.approx(score)


@pytest.mark.parametrize(
    ("card", "flop", "kwh", "joules_per_flop"),
    [
        ("vision-text OCR", 2.2e22, 7827, 1.3e-12),
        ("3-D reconstruction", 1.8e19, 13, 2.6e-12),
        ("code model", 1.23e20, 150.5, 4.4e-12),
        ("draft head", 4.8e20, 2500, 1.9e-11),
    ],
)
def test_the_four_model_cards_are_within_what_h100_spend_except_the_draft_head(
    card, flop, kwh, joules_per_flop
):
    joules = kwh * 3.6e6
    assert float(f"{joules / flop:.1e}") == joules_per_flop
    claim = Claim(card, {"flop": flop, "energy_j": joules}, {"chip": "h100"})
    ratio = joules / flop / (chip("h100").tdp_w / 989e12)
    assert (ratio > 20) == (card == "draft head")
    assert not [finding for finding in check(claim) if finding.rule != "joules-per-flop"]


def test_the_fifth_card_implies_a_utilization_of_60_per_cent():
    seconds = 512 * 14 * 86_400
    assert 3.7e23 / (seconds * 989e12) == pytest.approx(0.60, abs=0.01)


@pytest.mark.parametrize(
    ("hours", "watts", "tonnes", "mwh", "factor"),
    [
        (184_320, 400, 31.22, 73.7, 0.4234),  # Llama 2 7B
        (39.3e6, 700, 11_390, 27_510, 0.414),  # Llama 3.1 family
    ],
)
def test_llama_cards_are_hours_times_design_power_and_one_factor(hours, watts, tonnes, mwh, factor):
    joules = hours * 3600 * watts
    assert joules / 3.6e9 == pytest.approx(mwh, rel=0.001)
    assert tonnes / (joules / 3.6e9) == pytest.approx(factor, rel=0.002)
    name = "a100-sxm4-80gb" if watts == 400 else "h100"
    numbers = {"chip_s": hours * 3600, "energy_j": joules, "co2_g": tonnes * 1e6}
    claim = Claim("card", numbers, {"chip": name, "basis": "measured", "boundary": "chip"})
    assert {finding.rule for finding in check(claim)} == {"tdp-as-measured"}


def test_two_peers_liters_are_noticed_and_the_right_ones_pass():
    # IT 100 kWh, PUE 1.2, WUE 1, EWIF 3: 460 L; with the PUE twice 552.
    factors = {"pue": 1.2, "wue": 1.0, "ewif": 3.0}
    it, facility = 100 * 3.6e6, 120 * 3.6e6
    numbers = {"energy_it_j": it, "energy_facility_j": facility, **factors}
    for liters, rules in ((460, set()), (552, {"water"}), (480, {"water"})):
        claim = Claim("site", numbers | {"water_l": float(liters)})
        assert {finding.rule for finding in check(claim)} == rules


def test_making_an_h100_is_164_kg_shared_by_hours():
    seconds = Quantity.exact(1000 * 3600, "s", "test")
    life = Quantity.exact(35_064 * 3600, "s", "4 years")
    assert embodied_g(164, seconds, life).value == pytest.approx(4677, rel=0.001)


def test_power_is_four_per_cent_of_the_rent_of_an_h100():
    dollars = 0.7 * 1.3 * 1.2 * 0.08
    assert dollars == pytest.approx(0.087, abs=0.001)
    assert dollars / 2.35 == pytest.approx(0.04, abs=0.005)
