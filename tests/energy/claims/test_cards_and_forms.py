"""Cards and forms of anybody, read as claims: units, words in the place of numbers, sums."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.claims.check import check
from energy.claims.claim import Claim
from energy.disclosure.formats import write
from energy.disclosure.readers import boms, card, forms
from energy.disclosure.readers.files import claims_of
from energy.errors import InputError
from tests.energy.disclosure.runs import known

FACTS = known()

FOREIGN = """---
license: mit
co2_eq_emissions: {emissions}
---
# A model

- **Hardware Type:** {chip}
- **Hours used:** {hours}
- **Cloud Provider:** Example
- **Compute Region:** FRA
- **Carbon Emitted:** {carbon}
"""


def rules_of_card(emissions="74000000", chip="h100", hours="1,720,320", carbon="74 t CO2e"):
    text = FOREIGN.format(emissions=emissions, chip=chip, hours=hours, carbon=carbon)
    return {finding.rule for finding in check(card.card(text, "README.md"))}


def test_a_card_of_the_hubs_template_is_read():
    claim = card.card(
        FOREIGN.format(emissions="5000", chip="h100", hours="100", carbon="5 kg CO2"), "x"
    )
    assert claim.numbers == {"co2_g": 5000.0, "chip_s": 360_000.0}
    assert (claim.words["chip"], claim.words["zone"]) == ("h100", "FRA")
    assert claim.problems == ()


TRACKED = """---
co2_eq_emissions:
  emissions: 33.17
  energy_consumed: 0.0853
  source: codecarbon
  hours_used: 0.302
  hardware_used: 2 x NVIDIA A100-SXM4-80GB
---
### Environmental Impact
Carbon emissions were measured using [CodeCarbon](https://github.com/mlco2/codecarbon).
- **Energy Consumed**: 0.085 kWh
- **Carbon Emitted**: 0.033 kg of CO2
- **Hours Used**: 0.302 hours

### Training Hardware
- **GPU Model**: 2 x NVIDIA A100-SXM4-80GB
"""
"""As the template of sentence-transformers and SetFit writes what CodeCarbon tracked."""

AUTOTRAIN = """---
co2_eq_emissions:
  emissions: {emissions}
---
# Model Trained Using AutoTrain

- CO2 Emissions (in grams): 25.4476
"""

SAVED = """<!doctype html>
<html><head><style>b {{}}</style></head><body>
<div data-props="{{&quot;co2_eq_emissions&quot;:{{&quot;emissions&quot;:{emissions}}}}}"></div>
<script>co2 = "<li>Hours used: 7</li>"</script>
<ul><li><strong>Hardware Type:</strong> A100-SXM4-80GB</li>
<li><strong>Hours used:</strong> 1,000</li><li><strong>Compute Region:</strong> FRA</li>
<li><strong>Carbon Emitted:</strong> 22.4&nbsp;kg CO2eq</li></ul></body></html>
"""
"""A card as a browser saves the Hub's page of it."""


def test_a_card_of_what_codecarbon_tracked_has_its_joules_its_clock_and_its_boards():
    claim = card.card(TRACKED, "x")
    assert claim.numbers == {
        "co2_g": 33.17,
        "energy_j": pytest.approx(307_080),
        "chips": 2.0,
        "elapsed_s": pytest.approx(1087.2),
    }
    assert claim.chip.id == "a100-sxm4-80gb"
    assert check(claim) == []
    wrong = TRACKED.replace("0.0853", "85.3")  # Wh under a heading of kWh
    assert "watts-per-chip" in {finding.rule for finding in check(card.card(wrong, "x"))}


def test_a_card_of_autotrain_says_its_grams_twice():
    assert check(card.card(AUTOTRAIN.format(emissions="25.447577064303335"), "x")) == []
    rules = {
        finding.rule for finding in check(card.card(AUTOTRAIN.format(emissions="0.0254"), "x"))
    }
    assert "unit" in rules


@pytest.mark.parametrize(
    ("emissions", "rule"), [("22400", ""), ("22.4", "unit"), ("&quot;40 t&quot;", "not-a-number")]
)
def test_a_page_of_the_hub_is_read_as_it_is_saved(emissions, rule, tmp_path):
    path = tmp_path / "model.html"
    path.write_text(SAVED.format(emissions=emissions))
    (claim,) = claims_of(path)
    assert claim.numbers["chip_s"] == 3.6e6
    assert (claim.words["chip"], claim.words["zone"]) == ("A100-SXM4-80GB", "FRA")
    rules = {finding.rule for finding in check(claim)}
    assert rule in rules if rule else not rules


def test_a_page_without_a_figure_is_refused(tmp_path):
    (tmp_path / "x.html").write_text("<html><![odd[x]]><p>No figures <b>here</body>")
    with pytest.raises(InputError, match="a figure that can be checked"):
        claims_of(tmp_path / "x.html")


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"emissions": "40 t"}, "not-a-number"),
        ({"emissions": "7.4e7"}, "not-a-number"),
        ({"emissions": "-5"}, "negative"),
        ({"emissions": "74000"}, "unit"),  # kilograms under a heading of grams
        ({"emissions": "500000", "carbon": "0.5 t CO2e"}, "carbon-unusually-low"),
        ({"hours": "1,000"}, "carbon-per-chip-hour"),
    ],
)
def test_slips_of_cards_are_named(changes, rule):
    assert rule in rules_of_card(**changes)


def test_a_right_card_breaks_no_rule_whether_flat_or_nested():
    assert rules_of_card() == set()
    nested = "\n  emissions: 74000000\n  hardware_used: h100"
    assert rules_of_card(emissions=nested) == set()


def test_tonnes_that_are_150_times_too_few_for_the_hours_are_noticed():
    right = 1_720_320 * 0.7 * 0.4 / 1e3  # hours x kW x kg/kWh: 482 t
    carbon = f"{right / 150:.1f} t CO2e"
    assert "carbon-unusually-low" in rules_of_card(f"{right / 150 * 1e6:.0f}", carbon=carbon)


@given(st.text(max_size=300))
def test_no_text_crashes_the_reader_of_cards(text):
    assert isinstance(card.card(f"---\nco2_eq_emissions: {text}\n---\n{text}", "x"), Claim)
    check(card.card(text, "x"))


def changed(name, path, value):
    document = json.loads(write(name, FACTS, "x"))
    *names, last = path.split(".")
    here = document
    for part in names:
        here = here[int(part)] if isinstance(here, list) else here[part]
    if value is None:
        del here[last]
    else:
        here[int(last) if isinstance(here, list) else last] = value
    return document


CONSUMPTION = f"components.0.{boms.CONSIDERATIONS}.0"


@pytest.mark.parametrize(
    ("name", "reader", "path", "value", "rule"),
    [
        ("eu-mdf", forms.documentation, "items.size_bucket.value", "≤5B", "field"),
        ("eu-mdf", forms.documentation, "items.training_time_bucket.value", "<1 month", None),
        ("eu-mdf", forms.documentation, "items.training_time_bucket.value", ">6 months", "field"),
        ("eu-mdf", forms.documentation, "items.training_compute_order.value", 1e23, "field"),
        ("eu-mdf", forms.documentation, "items.training_energy.unit", "kWh", "unit"),
        ("eu-mdf", forms.documentation, "items.training_energy.value", 6600, "watts-per-chip"),
        ("eu-mdf", forms.documentation, "items.training_energy.value", None, "field"),
        ("eu-mdf", forms.documentation, "energy_methodology.text", "", "field"),
        ("eu-mdf", forms.documentation, "items.total_parameters.value", "10B", "not-a-number"),
        ("sci", forms.scores, "score.value", 0.1, "netted"),
        ("sci", forms.scores, "O_g", 1.0, "energy-times-grid"),
        ("sci-ai", forms.scores, "scores.1.value", 1.0, "netted"),
        ("sci-ai", forms.scores, "scores.0.value", "4 g", "not-a-number"),
        ("boamps", forms.boamps, "infrastructure.infraType", "cloud", "field"),
        ("boamps", forms.boamps, "quality", "good", "field"),
        ("boamps", forms.boamps, "task.algorithms.0.parametersNumber", 1e10, "unit"),
        ("boamps", forms.boamps, "measures.0.powerConsumption", "6 MWh", "not-a-number"),
        ("boamps", forms.boamps, "measures.0.powerConsumption", 6.6, "watts-per-chip"),
        ("boamps", forms.boamps, "measures.0.averageUtilizationGpu", 80, "share"),
        ("boamps", forms.boamps, "environment.powerSourceCarbonIntensity", 0.056, "grid-factor"),
        ("cyclonedx", boms.cyclonedx, f"{CONSUMPTION}.activityEnergyCost.unit", "MWh", "unit"),
        ("cyclonedx", boms.cyclonedx, f"{CONSUMPTION}.activityEnergyCost.value", 6.6, "field"),
        (
            "cyclonedx",
            boms.cyclonedx,
            f"{CONSUMPTION}.co2CostEquivalent.value",
            370,
            "carbon-per-kwh",
        ),
        ("otel", forms.telemetry, "resourceMetrics.0.scopeMetrics.0.metrics.0.unit", "kWh", "unit"),
        (
            "otel",
            forms.telemetry,
            "resourceMetrics.0.scopeMetrics.0.metrics.0.sum.dataPoints.0.asDouble",
            -1.0,
            "negative",
        ),
        (
            "otel",
            forms.telemetry,
            "resourceMetrics.0.scopeMetrics.0.metrics.0.sum.dataPoints.0.asDouble",
            5000.0,
            "field",
        ),
    ],
)
def test_slips_of_forms_are_named(name, reader, path, value, rule):
    claims = reader(changed(name, path, value), "x")
    noticed = {finding.rule for claim in claims for finding in check(claim)}
    assert rule in noticed if rule else noticed == set()


@pytest.mark.parametrize("unit", ["kWh", "joule"])
def test_a_unit_that_spdx_does_not_have_is_named(unit):
    document = json.loads(write("spdx", FACTS, "x"))
    for node in document["@graph"]:
        for spent in node.get("ai_energyConsumption", {}).get("ai_trainingEnergyConsumption", []):
            spent["ai_energyUnit"] = unit
    (claim,) = boms.spdx(document, "x")
    assert [finding.rule for finding in check(claim)] == ["unit"]


JUNK = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


READERS = {
    "sci": forms.scores,
    "sci-ai": forms.scores,
    "boamps": forms.boamps,
    "cyclonedx": boms.cyclonedx,
    "otel": forms.telemetry,
    "eu-mdf": forms.documentation,
    "spdx": boms.spdx,
}
WRITTEN = {name: write(name, FACTS, "x") for name in READERS}


@given(st.sampled_from(sorted(READERS)), JUNK, st.data())
def test_no_damage_to_a_form_crashes_its_reader(name, junk, data):
    document = json.loads(WRITTEN[name])
    here = document
    while isinstance(here, dict | list) and here:
        keys = sorted(here) if isinstance(here, dict) else list(range(len(here)))
        key = data.draw(st.sampled_from(keys))
        if data.draw(st.booleans()) or not isinstance(here[key], dict | list):
            here[key] = junk
            break
        here = here[key]
    for claim in READERS[name](document, "x"):
        check(claim)
