"""`simulator predict --trace`: a step over time, with the seconds and joules of predict."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.facts import catalog
from energy.trace import TICKS_PER_S
from simulator import predict
from simulator.physics.pipeline import fullest_and_last, layers_by_stage
from simulator.physics.plan import Plan
from simulator.questions.predict.timeline import timeline
from tests.support.traces import last_values, read_trace, slices

SHAPE = catalog.model("llama3-70b").shape

LLAMA = {"target": "llama3-70b", "chip": "h100", "chips": 512, "tokens": 1e12}
PIPED = {"plan.pp": 8, "plan.tp": 4, "plan.vp": 1}


def llama(**overrides):
    named = {name.replace("__", "."): value for name, value in overrides.items()}
    return predict(**LLAMA, overrides=PIPED | named)


RUNS = {
    "one stage": lambda: predict("glam-mini-16e"),
    "mixture": lambda: predict("glam-64b-64e"),
    "1f1b": llama,
    "interleaved": lambda: llama(plan__vp=5, run__batch_sequences=512),
    "not a multiple": lambda: llama(plan__vp=5, run__batch_sequences=496),
    "zero-bubble": lambda: llama(plan__schedule="zero-bubble"),
    "zero-bubble-v": lambda: llama(plan__schedule="zero-bubble-v"),
    "dualpipe": lambda: llama(plan__schedule="dualpipe"),
    "uneven": lambda: predict(**LLAMA, overrides={"plan.pp": 16, "plan.tp": 4, "plan.vp": 1}),
    "lora": lambda: llama(workload__kind="lora", workload__rank=16, workload__sample_tokens=1024),
    "zero 3": lambda: predict("glam-8b", overrides={"plan.zero": 3}),
}


@pytest.fixture(scope="module", params=list(RUNS))
def run(request):
    return RUNS[request.param]()


def test_the_time_of_every_stage_is_the_predicted_step(run):
    drawn = timeline(run.estimate)
    assert drawn.step_s == pytest.approx(run.estimate.step_s.value)
    for stage in drawn.stages:
        ends = [0.0, *(stretch.end_s for stretch in stage.stretches)]
        begins = [stretch.begin_s for stretch in stage.stretches]
        assert begins == pytest.approx(ends[:-1])
        assert ends[-1] == pytest.approx(drawn.step_s)


def test_the_mean_stage_does_each_part_for_as_long_as_is_predicted(run):
    drawn, seconds = timeline(run.estimate), dict(run.estimate.step.seconds)
    spent = {}
    for stage in drawn.stages:
        for stretch in stage.stretches:
            part = "pipeline" if stretch.part == "bubble" else stretch.part
            spent[part] = spent.get(part, 0.0) + (stretch.end_s - stretch.begin_s)
    mean = {part: total / len(drawn.stages) for part, total in spent.items()}
    assert mean == pytest.approx({part: float(s) for part, s in seconds.items() if s})


def test_the_joules_of_the_counters_are_those_of_the_predicted_step(run, tmp_path):
    run.save_trace(tmp_path / "step.json")
    events, own = read_trace(tmp_path / "step.json"), run.estimate
    predicted_j = own.chip_w * own.setup.chips * own.step_s.value
    assert sum(last_values(events, "energy, chip").values()) == pytest.approx(predicted_j)
    work = [*slices(events, thread="compute"), *slices(events, thread="communication")]
    assert sum(each["args"]["energy_j"] for each in work) == pytest.approx(predicted_j)
    # Moments are whole ticks, so a duration is off by one at most.
    assert sum(each["dur"] for each in work) / 1e6 == pytest.approx(
        own.step_s.value * len(slices(events, name="step")), rel=1e-6, abs=len(work) / TICKS_PER_S
    )


@pytest.mark.parametrize("kind", ["1f1b", "interleaved", "zero-bubble"])
def test_a_schedule_that_is_known_is_played_with_every_pass_of_every_micro_batch(kind):
    run = RUNS[kind]()
    drawn, plan = timeline(run.estimate), run.estimate.plan
    kinds = 3 if kind == "zero-bubble" else 2
    assert len(drawn.stages) == 8
    for stage in drawn.stages:
        assert len(stage.passes) == kinds * plan.n_micro * plan.vp
        assert all(a.end_s <= b.begin_s + 1e-9 for a, b in pairwise(stage.passes))
    assert "played order" in drawn.note


@pytest.mark.parametrize("kind", ["dualpipe", "zero-bubble-v"])
def test_a_schedule_that_is_not_played_says_so_and_shows_the_mean_stage(kind):
    drawn = timeline(RUNS[kind]().estimate)
    assert len(drawn.stages) == 1
    assert f"the order of {kind} is not played" in drawn.note


def test_the_first_stage_begins_and_the_last_forward_is_followed_by_its_backward():
    drawn = timeline(llama().estimate)
    first, last = drawn.stages[0], drawn.stages[-1]
    assert first.passes[0].begin_s == 0
    assert last.passes[0].begin_s > first.passes[0].end_s - 1e-9
    assert [each.name for each in last.passes[:2]] == ["forward 1", "backward 1"]
    assert last.passes[1].begin_s == pytest.approx(last.passes[0].end_s)


def test_without_watts_of_the_chip_there_are_no_joules_and_the_times_stay(tmp_path):
    run = predict("glam-mini-16e")
    unknown = replace(run, estimate=replace(run.estimate, chip_w=math.nan))
    unknown.save_trace(tmp_path / "step.json")
    events = read_trace(tmp_path / "step.json")
    assert not [event for event in events if event["ph"] == "C"]
    assert slices(events, name="experts")


def test_what_comes_before_the_training_of_reinforcement_learning_comes_first(tmp_path):
    workload = {"kind": "rl", "prompt_tokens": 512, "answer_tokens": 1024}
    run = predict(
        **LLAMA | {"chips": 64},
        overrides={f"workload.{name}": value for name, value in workload.items()},
    )
    drawn = timeline(run.estimate)
    names = [stretch.part for stretch in drawn.stages[0].stretches]
    assert names[:2] == ["generation", "log_probabilities"]
    assert drawn.step_s == pytest.approx(run.estimate.step_s.value)


@given(st.integers(1, 96), st.integers(1, 24), st.booleans())
@settings(max_examples=200)
def test_the_stages_have_all_layers_and_none_more_than_the_fullest(layers, stages, by_work):
    if stages > layers:
        stages = layers
    shape = replace(SHAPE, n_layers=layers)
    plan = Plan(n_chips=stages, pp=stages, stages_by_work=by_work)
    cut = layers_by_stage(shape, plan)
    assert len(cut) == stages
    assert sum(cut) == pytest.approx(layers)
    assert max(cut) <= float(fullest_and_last(shape, plan)[0]) + 1e-9


def test_thirty_layers_on_eight_stages_are_short_at_both_ends():
    plan = Plan(n_chips=8, pp=8)
    assert layers_by_stage(replace(SHAPE, n_layers=30), plan) == [3, 4, 4, 4, 4, 4, 4, 3]


@pytest.mark.parametrize("place", ["/proc/step.json", "step.txt"])
def test_a_trace_that_cannot_be_written_is_refused_before_the_work(simulator, place):
    code, printed, error = simulator("predict", "glam-mini-16e", "--trace", place)
    assert (code, printed) == (2, "")
    assert "expected" in error
    assert "Traceback" not in error


def test_the_verb_writes_the_trace_and_prints_as_without(simulator, tmp_path):
    path = tmp_path / "new" / "step.json"
    code, printed, _ = simulator("predict", "glam-mini-16e", "--trace", path)
    assert (code, printed) == (0, simulator("predict", "glam-mini-16e")[1])
    assert slices(read_trace(path), name="attention_scores")
