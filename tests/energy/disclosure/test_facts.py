"""What forms are filled from: the record, its labels, and what a person states; never a guess."""

import json
import re
import shlex
import shutil

import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from energy.cli import command
from energy.disclosure.facts import facts_of
from energy.disclosure.formats import FORMATS, write
from energy.disclosure.forms import UNITS, Field
from energy.disclosure.stated import statable, words_of_options
from energy.errors import InputError, MissingDataError
from energy.quantity import Origin, Quantity
from energy.record import Kind
from tests.energy.disclosure.runs import STATED, known, metered

REGISTRY = pint.UnitRegistry()
REGISTRY.define("FLOP = [work]")


def report(*words):
    return CliRunner().invoke(command(), ["report", *map(str, words)])


@pytest.fixture
def run(tmp_path):
    tmp_path = tmp_path / "a folder; with spaces"
    record = metered(zone=None)
    record.model_copy(update={"labels": {"chip": "h100"}}).save(tmp_path / "record.json")
    return tmp_path


@pytest.mark.parametrize("name", ["hf-card", "sci", "sci-ai", "boamps", "spdx", "cyclonedx", "csv"])
def test_a_missing_field_is_refused_and_the_command_of_the_message_works_when_followed(run, name):
    with pytest.raises(MissingDataError) as error:
        report_or_raise(run, name)
    assert "a missing field is not filled" in str(error.value)
    line = error.value.fix[error.value.fix.index("energy report") :]
    examples = {"ZONE": "FRA", "COUNTRY": "FRA", "NUMBER": "3"}
    # Any word does for a name; of choices, the first.
    line = re.sub(r"([\w-]+)\|[\w|-]+", r"\1", line)
    for word, value in examples.items():
        line = re.sub(rf"\b{word}\b", value, line)
    words = shlex.split(line)[1:]
    result = CliRunner().invoke(command(), words)
    assert result.exit_code == 0, result.output
    assert result.stdout


def report_or_raise(run, name):
    return CliRunner().invoke(
        command(), ["report", str(run), "--format", name], catch_exceptions=False
    )


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "hf-card"])
def test_nothing_of_a_record_without_joules_is_disclosed(name, tmp_path):
    record = metered().model_copy(update={"energy": [], "totals": {}})
    with pytest.raises(MissingDataError):
        write(name, facts_of([record], STATED), "x")


def test_labels_of_the_run_count_and_what_is_stated_comes_before_them():
    record = metered()
    labelled = record.model_copy(update={"labels": record.labels | {"operator": "label"}})
    assert facts_of([labelled], {}).words["operator"] == "label"
    assert facts_of([labelled], {"operator": "stated"}).words["operator"] == "stated"


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("operator", "NAME=VALUE"),
        ("oprator=x", "did you mean operator"),
        ("operator= ", "a word for operator"),
        ("activity=train", "training"),
        ("tokens=2e11", "tokens is 200B there"),
        ("tokens=many", "a number above zero"),
        ("tokens=-5", "a number above zero"),
        ("co2_offset_g=12", "a mass with its unit; got 12; such as 40 g, 3 kg or 12 t"),
        ("co2_offset_g=12 mt", "40 g, 3 kg or 12 t"),
        ("co2_offset_g=t", "40 g, 3 kg or 12 t"),
        ("co2_offset_g=12 lb", "40 g, 3 kg or 12 t"),
        ("mfu=nan", "a number above zero"),
        ("end=yesterday", "end as a day; got yesterday; such as 2026-05-01"),
        ("queries=0", "a number above zero"),
        ("mfu=1.4", "utilization above 0 and at most 1"),
    ],
)
def test_what_is_stated_wrongly_is_named(pair, message):
    with pytest.raises(InputError, match=message):
        facts_of([metered()], words_of_options([pair]))


@pytest.mark.parametrize(
    ("text", "grams"),
    [("12 t", 12e6), ("3 kg", 3e3), ("40 g", 40.0), ("280t", 28e7), ("1,200kg", 12e5)],
)
def test_a_mass_is_stated_with_its_unit(text, grams):
    facts = facts_of([metered()], {"co2_offset_g": text})
    assert facts.number("co2_offset_g") == grams
    assert facts.quantities["co2_offset_g"].origin is Origin.ASSUMED


def test_every_fact_that_can_be_stated_says_what_it_is():
    for name, fact in statable().items():
        assert fact.meaning, name
        assert fact.unit in ("text", "1", "FLOP", "g"), name


@given(st.sampled_from(sorted(set(UNITS) - {"B"})), st.floats(1e-6, 1e20))
def test_a_field_holds_what_pint_converts(unit, value):
    """Units of forms against another library; B is a billion, no unit."""
    own, _ = UNITS[unit]
    written = Field(path="x", fact="x", unit=unit).value(Quantity.exact(value, own, "test"))
    theirs = REGISTRY.Quantity(value, own if own != "1" else "dimensionless")
    expected = theirs.to({"1": "dimensionless", "d": "day"}.get(unit, unit)).magnitude
    assert written == pytest.approx(expected, rel=1e-12)


def test_the_records_of_stages_are_added_and_each_is_held_against_a_third_of_the_first():
    base, small, large = (
        metered("base", flop=3e23),
        metered("small", flop=9e22),
        metered("large", flop=1.1e23),
    )
    document = json.loads(write("eu-mdf", known(base, small, large), "x"))
    assert document["items"]["training_compute"]["value"] == 5.0e23
    assert document["items"]["training_energy"]["value"] == pytest.approx(3 * 6.6, rel=0.02)
    whole, second, third = document["thresholds"]
    assert "above 1e23" in whole
    assert second.startswith("small")
    assert "does not become a provider" in second
    assert third.startswith("large")
    assert "is a provider" in third
    assert document["records"] == ["base", "small", "large"]


def test_a_modification_is_held_against_an_original_that_is_stated():
    facts = known(metered(flop=4e22), original_flop="1e23")
    assert "more than a third" in json.loads(write("eu-mdf", facts, "x"))["thresholds"][1]


def test_records_of_two_boundaries_are_disclosed_at_one_that_both_have():
    from energy.quantity import Boundary

    facts = known(metered(), metered(boundary=Boundary.CHIP))
    assert facts.boundary is Boundary.FACILITY
    assert "energy_chip_j" not in facts.quantities


def test_watt_hours_for_a_thousand_queries_are_those_of_the_boards_and_no_label():
    from energy.quantity import Boundary

    facts = known(metered(boundary=Boundary.CHIP, kwh=5.0), queries="10_000")
    line = json.loads(write("json", facts, "x"))["queries"]
    assert line.startswith("500 Wh per 1,000 queries")
    assert "not its label" in line


def test_a_zone_and_a_pue_of_the_command_line_replace_those_of_the_record(run):
    stated = ["--set", "training_type=pre-training"]
    france = report(run, "--format", "hf-card", "--zone", "FRA", *stated).stdout
    poland = report(run, "--format", "hf-card", "--zone", "POL", *stated).stdout
    assert float(re.search(r"emissions: (\S+)", poland)[1]) > 5 * float(
        re.search(r"emissions: (\S+)", france)[1]
    )
    lean = json.loads(report(run, "--format", "eu-mdf", "--pue", "1.0").stdout)
    assert lean["items"]["training_energy"]["value"] == 5.5


def test_a_record_that_cannot_be_true_is_refused_unless_its_rule_is_set_aside(tmp_path):
    record = metered()
    wrong = record.model_copy(update={"co2_location_g": record.co2_location_g.scaled(1e3)})
    wrong.save(tmp_path / "record.json")
    with pytest.raises(InputError, match="a record that can be true") as error:
        report_or_raise(tmp_path, "md")
    assert "--despite" in error.value.fix
    rules = re.findall(r"\[([\w-]+)\]", report(tmp_path, "--format", "md").stderr)
    rules += ["carbon-per-kwh", "energy-times-grid", "market-as-location"]
    despite = [word for rule in rules for word in ("--despite", rule)]
    run = report(tmp_path, "--format", "md", *despite)
    assert run.exit_code == 0
    assert "[carbon-per-kwh]" in run.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--out", "x.json"), "expected --format beside --out"),
        (("--format", "md", "--json"), "expected one of"),
        (("--format", "pdf"), "eu-mdf, hf-card"),
        (("--format", "md", "--spec", "1.6"), "--format cyclonedx"),
        (("--format", "cyclonedx", "--spec", "1.5"), "1.6 or 1.7"),
        (("--format", "md", "--despite", "x"), "negative"),
        (("--format", "md", "--pue", "0.5"), "1 or more"),
        (("--format", "md", "--pue", "nan"), "1 or more"),
        (("--format", "md", "--pue", "inf"), "1 or more"),
    ],
)
def test_options_that_do_not_fit_are_named(run, words, message):
    result = report(run, *words)
    assert result.exit_code == 2 or isinstance(result.exception, InputError)
    assert message in result.output + str(result.exception)


def test_a_document_is_written_whole_into_a_file(run, tmp_path):
    target = tmp_path / "new" / "page.md"
    result = report(run, "--format", "md", "--out", target)
    assert result.exit_code == 0
    assert target.read_text().startswith("# run")
    assert result.stdout == ""


def test_a_record_that_is_there_twice_is_refused_for_its_joules_would_count_twice(run, tmp_path):
    shutil.copytree(run, tmp_path / "copy")
    for again in (run, tmp_path / "copy"):
        result = report(run, again, "--format", "md")
        assert isinstance(result.exception, InputError)
        assert "each record once" in str(result.exception)


def test_a_stated_figure_that_cannot_be_true_beside_the_record_is_refused(tmp_path):
    record = metered().model_copy(update={"model_flop": Quantity.absent("FLOP", "unknown")})
    record.save(tmp_path / "record.json")
    words = [tmp_path, "--format", "json", "--set", "model_flop=1e30"]
    result = report(*words)
    assert isinstance(result.exception, InputError)
    assert "stated figures (model_flop)" in str(result.exception)
    rules = ("mfu", "stated-mfu", "joules-per-flop", "joules-per-flop-any", "flop-against-6pd")
    rules += ("executed-below-model",)
    despite = [word for rule in rules for word in ("--despite", rule)]
    assert report(*words, *despite).exit_code == 0
    assert report(*words[:-1], "model_flop=1.2e22").exit_code == 0


def test_ratios_of_several_records_are_their_means_by_what_they_are_ratios_to():
    """1 MWh at 56 g/kWh and 3 MWh at 662 g/kWh: (56 + 3 x 662) / 4 = 510.5 g/kWh."""
    france, poland = metered("a", 1000.0), metered("b", 3000.0, zone="POL")
    low, high = (r.factors["grid_location"].value for r in (france, poland))
    facts = facts_of([france, poland], {})
    assert facts.number("grid_g_per_kwh") == pytest.approx((low + 3 * high) / 4)
    kwh = facts.number("energy_facility_j") / 3.6e6
    assert facts.number("grid_g_per_kwh") * kwh == pytest.approx(facts.number("co2_location_g"))
    lacking = poland.model_copy(update={"metrics": {}})
    assert facts_of([france, poland], {}).has("mfu")
    assert not facts_of([france, lacking], {}).has("mfu")


def test_a_run_that_ends_before_it_begins_is_not_disclosed(tmp_path):
    metered().save(tmp_path / "record.json")
    days = ("--set", "begin=2026-05-21", "--set", "end=2026-05-01")
    result = report(tmp_path, "--format", "eu-mdf", *days)
    assert "it ends 20.0 days before it begins" in str(result.exception)


def test_a_stage_that_spdx_does_not_know_is_refused_with_those_that_it_knows():
    with pytest.raises(InputError, match="training, finetuning or inference"):
        write("spdx", known(metered(), task_stage="pre-training"), "x")


def test_records_on_two_chips_name_both_and_have_no_peak_of_one():
    other = metered("b").model_copy(update={"labels": {"chip": "a100-40gb", "zone": "FRA"}})
    facts = facts_of([metered("a"), other], {})
    assert facts.words["chip_name"].startswith("H100")
    assert ", " in facts.words["chip_name"]
    assert facts.chip is None
    assert not facts.has("hardware_flop")


@pytest.mark.parametrize("name", ["hf-card", "eu-mdf", "html", "md", "json"])
def test_a_chip_without_a_known_peak_has_no_flop_by_hardware_and_is_disclosed(name):
    facts = known(
        metered().model_copy(update={"labels": {"zone": "FRA"}}), chip="epyc-7543", site_name="home"
    )
    assert not facts.has("hardware_flop")
    assert "bf16 peak of epyc-7543" in facts.absent["hardware_flop"]
    assert "By hardware" not in write(name, facts, "x")


@pytest.mark.parametrize("name", ["eu-mdf", "hf-card", "boamps", "spdx", "cyclonedx", "html", "md"])
def test_a_measured_and_a_predicted_run_together_are_said_to_be_both(name):
    runs = metered("pre-training"), metered("continued", kind=Kind.PREDICTED)
    text = write(name, known(*runs), "x")
    assert "nothing was measured" not in text
    assert "continued did not happen yet" in text or "1 of 2 runs only predicted" in text
