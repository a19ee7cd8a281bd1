"""A scenario becomes a record: what must hold whatever the physics says."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import simulator
from energy.facts import catalog
from energy.quantity import Boundary, Origin
from energy.record import Kind, RunRecord
from simulator.runs.assumed import of_tokens
from simulator.runs.predict import predict
from simulator.scenarios.request import scenario_of
from simulator.scenarios.scenario import check, with_overrides
from simulator.terms import walk


def scenario(steps=100, batch=8, pue=1.2, goodput=0.9, grid=400.0, **shape):
    table = {
        "name": "small",
        "model": {"preset": "glam-0.1b-64e", "shape": {"n_experts": 16, **shape}},
        "run": {"steps": steps, "batch_sequences": batch, "goodput": goodput},
        "hardware": {"chip": "h100"},
        "site": {"pue": pue, "grid_location": grid},
    }
    return check(table, "test")


sizes = {
    "steps": st.integers(1, 10**6),
    "batch": st.integers(1, 256),
    "pue": st.floats(1, 3),
    "goodput": st.floats(0.1, 1),
    "grid": st.floats(1, 1000),
}


@settings(max_examples=25)
@given(**sizes)
def test_the_tree_ends_in_the_numbers_of_the_record(steps, batch, pue, goodput, grid):
    prediction = predict(scenario(steps, batch, pue, goodput, grid))
    co2, record = prediction.co2_term(), prediction.record
    assert co2.value() == pytest.approx(record.co2_location_g.value, rel=1e-9)
    facility = co2.find("facility energy").quantity.value
    assert facility == pytest.approx(record.totals[Boundary.FACILITY].value, rel=1e-9)
    assert co2.find("elapsed time").value() == pytest.approx(record.elapsed_s.value, rel=1e-9)
    for term in walk(co2):
        assert term.quantity.source


@settings(max_examples=25)
@given(**sizes)
def test_time_and_energy_are_proportional_to_steps(steps, batch, pue, goodput, grid):
    once = predict(scenario(steps, batch, pue, goodput, grid)).record
    twice = predict(scenario(2 * steps, batch, pue, goodput, grid)).record
    assert twice.elapsed_s.value == pytest.approx(2 * once.elapsed_s.value)
    assert twice.co2_location_g.value == pytest.approx(2 * once.co2_location_g.value)
    assert twice.model_flop.value == pytest.approx(2 * once.model_flop.value)


@settings(max_examples=25)
@given(st.floats(1, 2), st.floats(1.001, 1.5))
def test_energy_never_falls_when_pue_rises(pue, factor):
    low = predict(scenario(pue=pue)).record.totals[Boundary.FACILITY]
    high = predict(scenario(pue=pue * factor)).record.totals[Boundary.FACILITY]
    assert high.value > low.value


def test_lost_time_costs_joules_and_no_flop():
    whole, half = predict(scenario(goodput=1.0)).record, predict(scenario(goodput=0.5)).record
    assert half.elapsed_s.value == pytest.approx(2 * whole.elapsed_s.value)
    assert half.totals[Boundary.CHIP].value == pytest.approx(2 * whole.totals[Boundary.CHIP].value)
    assert half.model_flop == whole.model_flop


def test_parts_of_time_sum_to_the_productive_time():
    record = predict(scenario(goodput=0.9)).record
    parts = sum(part.time_s.value for part in record.parts if part.time_s)
    assert parts == pytest.approx(0.9 * record.elapsed_s.value)
    joules = sum(part.energy_j.value for part in record.parts if part.energy_j)
    assert joules == pytest.approx(record.totals[Boundary.CHIP].value)
    flop = sum(part.model_flop.value for part in record.parts if part.model_flop)
    assert flop == pytest.approx(record.model_flop.value)


def test_a_prediction_has_a_band_and_is_never_called_measured(tmp_path):
    record = predict(scenario()).record
    assert record.kind is Kind.PREDICTED
    for quantity in (record.elapsed_s, record.totals[Boundary.CHIP], record.co2_location_g):
        assert quantity.low < quantity.value < quantity.high
        assert quantity.origin in (Origin.MODELLED, Origin.ASSUMED)
    record.save(tmp_path / "record.json")
    assert RunRecord.load(tmp_path) == record


def test_goodput_that_nobody_gave_is_loudly_assumed():
    table = scenario().model_dump(mode="json", exclude_none=True)
    del table["run"]["goodput"]
    tree = predict(check(table, "test")).elapsed
    goodput = tree.find("goodput").quantity
    assert goodput.origin is Origin.ASSUMED
    assert goodput.low < goodput.high


def test_a_quick_question_writes_a_record_and_explains_itself(simulator, tmp_path):
    code, out, _ = simulator(
        "predict",
        "--model",
        "glam-0.1b-64e",
        "--chip",
        "h100",
        "--tokens",
        "1e9",
        "--batch",
        "8",
        "--out",
        tmp_path / "p",
        "--explain",
    )
    assert code == 0
    assert "watts per chip" in out
    assert "└─ goodput 0.980" in out
    record = json.loads((tmp_path / "p" / "record.json").read_text())
    assert (record["kind"], record["name"]) == ("predicted", "glam-0.1b-64e")
    assert record["tokens"]["value"] == 1e9


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("predict",), 2, "a scenario or --model"),
        (("predict", "glam-64b"), 2, "glam-64b-64e"),
        (
            ("predict", "--model", "glam-8b-64e", "--chip", "h100"),
            2,
            "got no tokens; for example --set run.tokens=",
        ),
        (("predict", "glam-8b-64e", "--chips", "2"), 3, "fits in memory"),
        (("predict", "glam-8b-64e", "--chips", "64", "--set", "plan.flsh=true"), 2, "mean flash"),
        (("predict", "glam-8b-64e", "--chips", "1", "--hardware", "absent.toml"), 2, "absent.toml"),
        (("predict", "glam-8b-64e", "--chips", "1", "--chip", "h1000"), 2, "expected a chip"),
        (("predict", "glam-8b-64e", "--chips", "256", "--out", "/proc/none"), 2, "/proc/none"),
    ],
)
def test_bad_questions_are_one_clear_line(simulator, arguments, code, message):
    exit_code, out, err = simulator(*arguments)
    assert (exit_code, out) == (code, "")
    assert err.count("\n") == 1
    assert message in err


def test_the_frame_of_a_prediction_is_that_of_its_record():
    answer = simulator.predict(scenario())
    assert answer.to_frame().equals(answer.record.to_frame())


def test_a_model_of_the_catalog_takes_its_published_tokens_and_says_so(simulator):
    words = ("predict", "deepseek-v3", "--chip", "h200", "--chips", "2048")
    code, out, _ = simulator(*words, "--json")
    record = json.loads(out)
    assert code == 0
    assert record["tokens"]["value"] == catalog.model("deepseek-v3").tokens
    assert "tokens 14.8T as deepseek-v3 had (run.tokens)" in record["notes"][-1]
    for named in (("--tokens", "1e12"), ("--steps", "1000"), ("--set", "run.tokens=1e12")):
        own = json.loads(simulator(*words, *named, "--json")[1])
        assert own["tokens"]["value"] != record["tokens"]["value"]
        assert "as deepseek-v3 had" not in own["notes"][-1]


def test_the_tokens_of_a_model_do_not_go_with_another_number(simulator):
    scenario = scenario_of("deepseek-v3", chip="h200", chips=2048)
    other = with_overrides(scenario.model_dump(mode="json"), {"run.tokens": 1e12}, "another")
    assert not list(of_tokens(other))
    assert [each.option for each in of_tokens(scenario)] == ["run.tokens"]
