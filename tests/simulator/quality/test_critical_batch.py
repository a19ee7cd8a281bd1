"""What a batch costs in tokens: the law, its reference points, and runs that are priced by it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import simulator
from energy.errors import InputError
from simulator.quality.critical_batch import (
    critical_tokens,
    reference_points,
    times_the_tokens,
    with_batch,
)
from simulator.questions.plan.question import question
from simulator.scenarios.scenario import load

sizes = st.floats(1e3, 1e9)


@pytest.mark.parametrize("point", reference_points(), ids=lambda point: point.name)
def test_the_law_has_the_samples_of_mlperf_reference_points(point):
    # mlperf-logging 4.1.68: means of 20 runs a batch, to 3.34 and 3.3 nat.
    critical = critical_tokens(point.loss)
    first, *others = (batch * point.seq_len for batch in point.batches)
    for batch, sequences in zip(others, point.sequences[1:], strict=True):
        times = times_the_tokens(batch, first, critical)
        measured = sequences / point.sequences[0]
        assert times.value == pytest.approx(measured, rel=0.08)
        assert times.low < measured < times.high


def test_the_critical_batch_of_the_reference_points_is_that_of_the_law():
    for point in reference_points():
        batches, sequences = np.array(point.batches), np.array(point.sequences)
        # sequences = least + least / critical * batch
        slope, least = np.polyfit(batches, sequences, 1)
        measured = least / slope * point.seq_len
        assert critical_tokens(point.loss).value == pytest.approx(measured, rel=0.2), point.name


@given(batch=sizes, before=sizes, more=st.floats(1.01, 100), loss=st.floats(1.5, 6))
def test_a_larger_batch_takes_more_tokens_and_fewer_steps(batch, before, more, loss):
    critical = critical_tokens(loss)
    small, large = (times_the_tokens(b, before, critical) for b in (batch, batch * more))
    assert small.value < large.value
    assert small.value / batch > large.value / (batch * more)
    assert large.value <= small.value * more
    assert large.low <= large.value <= large.high
    assert times_the_tokens(before, before, critical).value == 1


def test_a_run_with_its_own_batch_keeps_its_tokens():
    run = load("glam-8b")
    own = round(run.run.sequences(float(run.model.resolve().seq_len)))
    priced = with_batch(run, own)
    assert priced.scenario.tokens == pytest.approx(run.tokens, rel=1e-3)
    assert priced.scenario.run.batch_sequences == own


def test_plan_and_pareto_price_a_batch_and_name_the_law():
    larger = question("glam-8b", batch=8192)
    assert larger.scenario.tokens > 1.5 * load("glam-8b").tokens
    assert any("Kaplan" in note and "critical batch" in note for note in larger.notes)
    stated = question("glam-8b", batch=8192, tokens=1e12)
    assert stated.scenario.tokens == 1e12
    front = simulator.pareto(
        "glam-8b",
        chip="h100",
        chips=256,
        batch=[1024, 16384],
        overrides={"plan.tp": 2, "plan.pp": 1, "plan.recompute": "none"},
    )
    # The steps of the larger batch are more efficient, its tokens are twice as many.
    assert {choice.cell.model for choice in front.choices} == {"glam-8b, batch 1,024"}
    assert front.name == "glam-8b"
    assert sum("Kaplan" in note for note in front.notes) == 2


@pytest.mark.parametrize(
    ("run", "batch", "words"),
    [
        (load("glam-8b"), 0, "--batch of 1 or more"),
        (load("glam-8b", {"workload.kind": "lora"}), 8, "expected pre-training"),
    ],
)
def test_a_batch_that_no_law_prices_is_refused(run, batch, words):
    with pytest.raises(InputError, match=words):
        with_batch(run, batch)
