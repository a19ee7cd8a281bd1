"""Every format from one record, read back by whoever reads it in the field."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import fields as dataclass_fields

import pytest
from huggingface_hub import ModelCard
from huggingface_hub.hf_api import ModelInfo
from huggingface_hub.utils.endpoint_helpers import _is_emission_within_threshold
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from energy.disclosure.formats import FORMATS, write
from energy.disclosure.forms import UNITS, form, read_back
from energy.disclosure.plain import decimal
from energy.disclosure.writers import cyclonedx, spdx
from energy.errors import InputError, MissingDataError
from energy.quantity import Boundary, Origin, Quantity
from energy.record import Kind
from tests.energy.disclosure.runs import known, metered

NUMBERS = ("boamps", "cyclonedx", "sci", "sci-ai")


@pytest.fixture(scope="module")
def facts():
    return known()


def written(name, facts, **options):
    return write(name, facts, "runs/x", **options)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_written_from_one_record(name, facts):
    assert written(name, facts)


@pytest.mark.parametrize("name", [n for n in FORMATS if n not in ("mlperf-power",)])
def test_every_format_is_written_from_a_prediction_that_says_so(name):
    predicted = known(metered(kind=Kind.PREDICTED))
    text = written(name, predicted)
    assert re.search("modelled|assumed", text), f"{name} hides what is modelled"
    if name in ("eu-mdf", "hf-card", "boamps", "spdx", "cyclonedx", "html", "md"):
        assert "nothing was measured" in text


@pytest.mark.parametrize("name", [n for n in FORMATS if n not in ("openmetrics", "otel")])
def test_band_and_boundary_stand_in_every_format(name, facts):
    text = written(name, facts)
    assert "facility" in text or name in ("sci", "mlperf-power")
    assert re.search(r"80 %|95 %|low", text)


def test_the_eu_form_rounds_and_says_who_gets_what(facts):
    document = json.loads(written("eu-mdf", facts))
    items = document["items"]
    assert items["training_energy"]["value"] == 6.6  # 5,000 kWh x IT 1.1 x PUE 1.2
    assert items["size_bucket"]["value"] == "≤15B"
    assert items["training_compute"]["value"] == 1.2e22
    assert items["training_compute_order"]["value"] == 1e22
    assert items["training_time"]["goes_to"] == ["AI Office"]
    assert document["form_version"] == form("eu-mdf").form_version
    assert "benchmark_compute" in document["not_supplied"]


def card_of(text):
    card = ModelCard(text)
    return card, ModelInfo(
        id="x",
        modelId="x",
        author="x",
        sha="x",
        card_data=card.data,
        siblings=[],
        tags=[],
        downloads=0,
        likes=0,
        private=False,
        cardData=None,
    )


def test_the_hub_reads_the_grams_of_the_card_as_they_are_meant(facts):
    grams = facts.number("co2_location_g")
    _, info = card_of(written("hf-card", facts))
    assert _is_emission_within_threshold(info, grams * 0.9999, grams * 1.0001)


FACTS = known()


@given(st.floats(1e-4, 1e15))
def test_the_hub_reads_any_grams_that_a_card_may_hold(grams):
    from energy.disclosure.writers.card import written as card

    facts = FACTS
    changed = Quantity.exact(grams, "g", "test", Origin.MODELLED)
    facts = type(facts)(
        facts.records,
        {**facts.quantities, "co2_location_g": changed},
        facts.words,
        facts.boundary,
        facts.absent,
    )
    _, info = card_of(card(facts))
    assert _is_emission_within_threshold(info, grams * 0.9999, grams * 1.0001)


def test_words_with_quotes_and_colons_come_back_from_the_card_unchanged():
    chip = 'H100: "80" #1'
    card, _ = card_of(written("hf-card", known(chip=chip)))
    assert card.data.co2_eq_emissions["hardware_used"] == chip
    assert card.data.co2_eq_emissions["training_type"] == "pre-training"


def test_less_than_the_hub_can_read_is_refused():
    with pytest.raises(InputError, match="misread"):
        written("hf-card", known(metered(kwh=1e-7)))


def test_sci_is_location_and_embodied_per_unit_without_offsets(facts):
    document = json.loads(written("sci", facts))
    total = facts.number("co2_location_g") + 12_000
    assert document["score"]["value"] == pytest.approx(total / (2e11 / 1e6))
    other = json.loads(written("sci", known(co2_offset_g="9 t")))
    assert other["score"] == document["score"]


def test_sci_for_ai_has_gross_and_effective_scores_per_flop_token_and_parameter(facts):
    document = json.loads(written("sci-ai", facts))
    units = [(score["functional_unit"], score["values"]) for score in document["scores"]]
    assert units == [
        ("FLOP", "effective"),
        ("training token", "gross"),
        ("parameter", "gross"),
        ("parameter", "effective"),
    ]
    assert "training alone" in document["note"]


def test_the_boamps_report_passes_through_codecarbons_models_unchanged(facts):
    from codecarbon.output_methods.boamps.models import BoAmpsReport

    document = json.loads(written("boamps", facts))
    assert BoAmpsReport.from_dict(document).to_dict() == document
    measure = document["measures"][0]
    assert measure["powerConsumption"] == pytest.approx(facts.number("energy_j") / 3.6e6)
    assert document["task"]["algorithms"][0]["parametersNumber"] == 10.0
    assert document["quality"] == "medium"


def test_the_spdx_document_is_read_by_its_bindings_and_has_no_exponent(facts):
    from spdx_python_model import v3_0_1 as model

    text = written("spdx", facts)
    every = model.SHACLObjectSet()
    model.JSONLDDeserializer().read(io.BytesIO(text.encode()), every)
    (package,) = every.foreach_type(model.ai_AIPackage)
    (spent,) = package.ai_energyConsumption.ai_trainingEnergyConsumption
    assert spent.ai_energyQuantity == pytest.approx(facts.number("energy_j") / 3.6e6, rel=1e-5)
    assert spent.ai_energyUnit == model.ai_EnergyUnitType.kilowattHour
    quantity = json.loads(text)["@graph"]
    assert "e-" not in json.dumps([node.get("ai_energyConsumption") for node in quantity])


@given(st.floats(200.0, 1e20))
def test_a_unit_of_spdx_is_chosen_in_which_no_exponent_stands(joules):
    name, value = spdx.unit_for(joules)
    assert "e" not in str(value)
    size = {unit: j for unit, j, _ in spdx.UNITS}[name]
    assert value * size == pytest.approx(joules, rel=1e-5)


def test_fewer_joules_than_spdx_can_hold_are_refused():
    with pytest.raises(InputError, match="another format"):
        spdx.unit_for(1.0)


@pytest.mark.parametrize("version", cyclonedx.VERSIONS)
def test_the_cyclonedx_document_passes_the_strict_validator(facts, version):
    document = json.loads(written("cyclonedx", facts, spec_version=version))
    assert document["specVersion"] == version
    assert cyclonedx.strict_problem(document) is None
    card = document["components"][0]["modelCard"]
    (spent,) = card["considerations"]["environmentalConsiderations"]["energyConsumptions"]
    assert spent["activityEnergyCost"]["unit"] == "kWh"
    assert spent["co2CostEquivalent"]["value"] == pytest.approx(
        facts.number("co2_location_g") / 1e6
    )
    assert spent["co2CostOffset"] == {"value": 0.003, "unit": "tCO2eq"}


def test_the_strict_validator_refuses_what_the_standard_does_not_know(facts):
    document = json.loads(written("cyclonedx", facts))
    document["components"][0]["modelCard"]["considerations"]["carbon"] = 1
    assert cyclonedx.strict_problem(document) is not None


def test_otlp_is_parsed_and_has_the_names_of_the_hardware_conventions():
    from google.protobuf.json_format import Parse
    from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
    from opentelemetry.semconv._incubating.metrics import hw_metrics as names

    facts = known(metered(boundary=Boundary.CHIP))
    data = Parse(written("otel", facts), MetricsData())
    metrics = {m.name: m for m in data.resource_metrics[0].scope_metrics[0].metrics}
    assert set(metrics) == {names.HW_ENERGY, names.HW_POWER}
    points = metrics[names.HW_ENERGY].sum.data_points
    assert sum(point.as_double for point in points) == pytest.approx(5000 * 3.6e6)
    assert metrics[names.HW_ENERGY].unit == "J"
    assert metrics[names.HW_ENERGY].sum.is_monotonic
    kinds = {a.value.string_value for p in points for a in p.attributes if a.key == "hw.type"}
    assert kinds == {"gpu", "cpu", "memory"}


@pytest.mark.parametrize("name", ["otel", "openmetrics"])
def test_telemetry_says_measured_only_of_joules_that_a_meter_read(name):
    record = metered(boundary=Boundary.CHIP)
    modelled = [
        entry.model_copy(update={"origin": Origin.MODELLED, "mix": None}) for entry in record.energy
    ]
    facts = known(record.model_copy(update={"energy": tuple(modelled)}))
    assert '"measured"' not in written(name, facts)


def test_no_two_points_of_a_metric_have_the_same_attributes():
    record = metered(boundary=Boundary.CHIP)
    bridges = [entry.model_copy(update={"api": "bridge"}) for entry in record.energy]
    facts = known(record.model_copy(update={"energy": (*record.energy, *bridges)}))
    document = json.loads(written("otel", facts))
    for metric in document["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]:
        points = metric.get("sum", metric.get("gauge"))["dataPoints"]
        assert len({json.dumps(point["attributes"]) for point in points}) == len(points)


def test_the_joules_of_a_node_are_those_of_the_host(facts):
    names = [
        metric["name"]
        for resource in json.loads(written("otel", facts))["resourceMetrics"]
        for scope in resource["scopeMetrics"]
        for metric in scope["metrics"]
    ]
    assert names == ["hw.host.energy", "hw.host.power"]


def test_openmetrics_is_read_by_the_parser_of_prometheus():
    facts = known(metered(boundary=Boundary.CHIP))
    families = {f.name: f for f in text_string_to_metric_families(written("openmetrics", facts))}
    energy = families["hw_energy_joules"]
    assert energy.type == "counter"
    assert sum(s.value for s in energy.samples) == pytest.approx(5000 * 3.6e6)
    assert {s.labels["origin"] for s in energy.samples} == {"measured"}
    assert families["hw_power_watts"].unit == "watts"
    assert {s.labels["run"] for s in energy.samples} == {"run <1> & co"}


def test_the_csv_has_codecarbons_columns_in_its_order_and_adds_up():
    from codecarbon.output_methods.emissions_data import EmissionsData

    facts = known(metered(boundary=Boundary.CHIP))
    table = csv.DictReader(io.StringIO(written("csv", facts)))
    theirs = [field.name for field in dataclass_fields(EmissionsData)]
    assert table.fieldnames[: len(theirs)] == theirs
    (row,) = table
    parts = sum(float(row[f"{kind}_energy"]) for kind in ("cpu", "gpu", "ram"))
    assert parts == pytest.approx(float(row["energy_consumed"]))
    assert float(row["emissions"]) == pytest.approx(facts.number("co2_location_g") / 1e3)
    rate = float(row["emissions_rate"]) * float(row["duration"])
    assert rate == pytest.approx(float(row["emissions"]))
    assert row["gpu_tracking_method"] == "measured: counter of GPU-0; measured: counter of GPU-1"


def test_a_power_log_needs_metered_nodes_and_says_that_nobody_validated_it(facts):
    document = json.loads(written("mlperf-power", facts))
    assert document["validated_by"] == "nobody"
    assert document["metric"]["total_node_energy_j"] == pytest.approx(5000 * 3.6e6)
    with pytest.raises(MissingDataError, match="energy run --meter"):
        written("mlperf-power", known(metered(boundary=Boundary.CHIP)))


def test_a_short_run_beside_a_long_one_does_not_meet_the_duration_of_the_power_rules():
    seconds = Quantity.exact(5.0, "s", "test")
    short = metered("short").model_copy(update={"elapsed_s": seconds})
    conditions = json.loads(written("mlperf-power", known(metered("long"), short)))["conditions"]
    assert conditions["at_least_60_s"].startswith("not met")


def test_the_page_escapes_what_is_in_a_record_and_fetches_nothing(facts):
    text = written("html", facts)
    assert "run &lt;1&gt; &amp; co" in text
    assert "<1>" not in text
    for word in ("<script", "<link", "src=", "@import", "url(", "http://", "https://"):
        assert word not in text
    ElementTree.fromstring(re.sub(r"<!doctype html>|<meta[^>]*>", "", text))


def test_the_four_figures_of_co2_stand_alone_on_the_page(facts):
    text = written("md", facts)
    for title in ("by location", "by market", "embodied", "offsets"):
        assert title in text
    assert "| by market: after contracts | missing |" in text


def test_a_name_with_bars_ends_no_cell():
    text = written("md", known(metered("a|b")))
    assert all(line.count("|") >= 5 for line in text.splitlines() if line.startswith("|"))


@pytest.mark.parametrize("name", NUMBERS)
def test_what_is_written_is_read_back_in_si(name, facts):
    document = json.loads(written(name, facts))
    if name == "cyclonedx":
        card = document["components"][0]["modelCard"]["considerations"]
        (document,) = card["environmentalConsiderations"]["energyConsumptions"]
    numbers = read_back(form(name), document)
    assert len(numbers) >= 2
    for fact, value in numbers.items():
        assert value == pytest.approx(facts.number(fact), rel=1e-12), fact


@pytest.mark.parametrize("name", FORMATS)
def test_every_mapping_has_a_version_a_day_and_a_source(name):
    own = form(name)
    assert own.form_version
    assert re.fullmatch(r"2026-\d\d-\d\d", own.as_of)
    assert own.source
    assert {field.unit for field in own.fields if field.unit} <= set(UNITS)


@given(st.floats(1e-9, 1e29))
def test_a_plain_decimal_is_the_number_to_six_digits_without_an_exponent(value):
    text = decimal(value)
    assert re.fullmatch(r"\d+(\.\d+)?", text)
    assert float(text) == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_what_no_form_may_hold_is_refused(value):
    with pytest.raises(InputError):
        decimal(value)
