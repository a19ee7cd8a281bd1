"""A step of reinforcement learning: generation, forward passes and training, and what it is not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import simulator
from energy.errors import InputError
from simulator.runs.predict import predict as predict_of_training
from simulator.scenarios.request import scenario_of
from simulator.serving.reinforcement import reinforcement
from simulator.terms import walk

RL = {"workload.kind": "rl", "workload.prompt_tokens": 512, "workload.answer_tokens": 2048}
RUN = {"chip": "h100", "chips": 64, "steps": 10, "batch": 512, "seq_len": 4096}


def scenario(model: str = "llama3-8b", run: dict | None = None, **keys):
    overrides = RL | {f"workload.{key}": value for key, value in keys.items()}
    return scenario_of(model, **(RUN | (run or {})), overrides=overrides)


def test_a_step_is_its_generation_its_forward_passes_and_its_training():
    whole = simulator.predict("llama3-8b", **RUN, overrides=RL)
    alone = simulator.predict(
        "llama3-8b",
        **RUN,
        overrides={"workload.kind": "fine-tuning", "workload.sample_tokens": 2560},
    )
    parts = {part.name: part for part in whole.record.parts}
    before = [parts["generation"], parts["log_probabilities"]]
    sums = sum(part.time_s.value for part in before)
    steps_s = [run.record.metrics["step_time_s"].value * 10 for run in (whole, alone)]
    assert steps_s[0] == pytest.approx(sums + steps_s[1])
    # Forward is a third of training: one pass that generates, two that score, three that train.
    flop = [run.record.model_flop.value for run in (whole, alone)]
    assert flop[0] == pytest.approx(2 * flop[1])
    assert "generation" in [term.name for term in walk(whole.terms()[""])]
    assert whole.record.labels["workload"] == "rl"


@settings(max_examples=5, deadline=None)
@given(
    forwards=st.integers(0, 4),
    answer=st.integers(64, 8192),
    chips=st.sampled_from([8, 64, 256]),
    model=st.sampled_from(["llama3-8b", "qwen3-30b-a3b"]),
)
def test_more_of_a_part_takes_longer_and_leaves_the_others(forwards, answer, chips, model):
    run = {"chips": chips}
    few = reinforcement(scenario(model, run, forwards=forwards, answer_tokens=answer))
    more = reinforcement(scenario(model, run, forwards=forwards + 1, answer_tokens=answer))
    assert more.seconds["generation"] == few.seconds["generation"]
    each = more.seconds["log_probabilities"].value / (forwards + 1)
    scored = few.seconds["log_probabilities"].value if forwards else 0.0
    assert scored == pytest.approx(forwards * each)
    assert each < float(few.step.step_s)


def test_adapters_are_trained_where_a_rank_is_named():
    adapted = reinforcement(scenario(rank=8))
    assert adapted.plan.trained == "adapters"
    assert float(adapted.step.step_s) < float(reinforcement(scenario()).step.step_s)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"kind": "dpo"}, "workload.kind as"),
        ({"kind": "pre-training"}, "prompt_tokens only where kind is rl"),
        ({"sample_tokens": 12}, "without sample_tokens"),
        ({"prompt_tokens": None}, "prompt_tokens and answer_tokens"),
    ],
)
def test_what_is_none_of_the_workloads_is_refused(keys, words):
    with pytest.raises(InputError, match=words):
        scenario(**keys)


def test_questions_of_training_alone_refuse_a_step_that_generates():
    with pytest.raises(InputError, match="training alone"):
        predict_of_training(scenario())
    with pytest.raises(InputError, match="training alone"):
        simulator.plan(scenario())
    with pytest.raises(InputError, match="training alone with --measured"):
        simulator.predict(scenario(), measured="9 s")
    with pytest.raises(InputError, match="laws of loss"):
        simulator.compare(scenario(), "gpt3-175b", equal="quality")
