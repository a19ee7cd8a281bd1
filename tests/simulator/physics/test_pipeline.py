"""Formulas of pipeline schedules against schedules that are played, operation by operation."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.errors import InfeasibleError, InputError
from energy.facts import catalog
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.memory import memory
from simulator.physics.pipeline import (
    bubble_s,
    crossings,
    fullest_and_last,
    in_flight,
    weight_copies,
)
from simulator.physics.plan import Plan
from simulator.physics.schedule import interleaved, one_forward_one_backward, play, zero_bubble
from simulator.physics.step import step

SHAPE = catalog.model("glam-8b").shape
H100 = Hardware.from_chip(catalog.chip("h100"), "bf16", Constants())


def played_s(orders, seconds, message_s=0.0):
    """When the last of all chips ends."""
    played = play(orders, seconds, message_s)
    assert len(played) == sum(map(len, orders)), "expected an order without a deadlock"
    return max(operation.end_s for operation in played.values())


def plan(stages, micro, **fields):
    return Plan(n_chips=stages, pp=stages, global_batch=micro, micro_batch=1, **fields)


@given(st.integers(2, 8), st.integers(1, 4))
def test_a_played_1f1b_takes_as_long_as_its_formula(stages, rounds):
    micro = stages * rounds
    orders = one_forward_one_backward(stages, micro)
    played = played_s(orders, lambda op: 1 if op[0] == "F" else 2)
    assert played == pytest.approx(3 * micro + bubble_s(SHAPE, plan(stages, micro), 3, 3))


@given(st.integers(2, 6), st.integers(2, 4), st.integers(1, 3))
def test_a_played_interleaved_schedule_takes_as_long_as_its_formula(stages, chunks, rounds):
    micro = stages * rounds
    orders = interleaved(stages, chunks, micro)
    played = played_s(orders, lambda op: (1 if op[0] == "F" else 2) / chunks)
    waits = bubble_s(SHAPE, plan(stages, micro, vp=chunks), 3, 3)
    assert played == pytest.approx(3 * micro + waits)


@given(st.integers(2, 8), st.integers(2, 4), st.sampled_from(["none", "full"]))
def test_a_played_zero_bubble_schedule_takes_as_long_as_its_formula(stages, rounds, recompute):
    micro = stages * rounds
    backward = 2 if recompute == "full" else 1
    seconds = {"F": 1, "B": backward, "W": 1}
    played = played_s(zero_bubble(stages, micro), lambda op: seconds[op[0]])
    layout = plan(stages, micro, schedule="zero-bubble", recompute=recompute)
    total = 2 + backward
    assert played == pytest.approx(total * micro + bubble_s(SHAPE, layout, total, total))


@given(st.integers(2, 8), st.integers(2, 5), st.floats(1.0, 1.6), st.data())
def test_uneven_stages_take_at_most_what_the_slowest_sets_and_exactly_it_at_the_end(
    stages, rounds, slow, data
):
    micro = stages * rounds
    place = data.draw(st.integers(0, stages - 1))
    each = [slow if chip == place else 1.0 for chip in range(stages)]
    orders = one_forward_one_backward(stages, micro)
    played = played_s(orders, lambda op: each[op[2]] * (1 if op[0] == "F" else 2))
    waits = bubble_s(SHAPE, plan(stages, micro), 3 * np.mean(each), 3 * slow)
    formula_s = 3 * micro * slow + waits
    # A slow stage further from the end starts more forward passes ahead, and waits less.
    sooner = 3 * (stages - 1 - place) * (slow - 1)
    assert formula_s - sooner - 1e-9 <= played <= formula_s + 1e-9


@given(st.integers(2, 8), st.integers(1, 4), st.floats(0.0, 0.3))
def test_messages_of_1f1b_are_paid_where_nothing_hides_them(stages, rounds, message_s):
    micro = stages * rounds
    orders = one_forward_one_backward(stages, micro)
    played = played_s(orders, lambda op: 1 if op[0] == "F" else 2, message_s)
    layout = plan(stages, micro)
    formula_s = 3 * micro + bubble_s(SHAPE, layout, 3, 3) + crossings(layout) * 2 * message_s
    assert played == pytest.approx(formula_s)


@given(st.integers(2, 6), st.integers(2, 4), st.integers(1, 3), st.floats(0.0, 0.1))
def test_messages_of_interleaved_stages_are_paid_by_the_first_micro_batch(
    stages, chunks, rounds, message_s
):
    micro = stages * rounds
    orders = interleaved(stages, chunks, micro)
    played = played_s(orders, lambda op: 1 if op[0] == "F" else 2, message_s)
    layout = plan(stages, micro, vp=chunks)
    formula_s = 3 * micro * chunks + bubble_s(SHAPE, layout, 3 * chunks, 3 * chunks)
    assert played == pytest.approx(formula_s + crossings(layout) * 2 * message_s, rel=0.02)


def test_dualpipe_has_the_bubble_copies_and_activations_of_its_own_table():
    # arXiv:2412.19437, table 2: (PP/2 - 1)(F&B + B - 3W), 2 copies, PP + 1; F&B = 3, B = 2, W = 1
    layout = plan(8, 64, schedule="dualpipe")
    assert float(bubble_s(SHAPE, layout, 3, 3)) == pytest.approx(3 * (3 + 2 - 3))
    assert float(weight_copies(layout)) == 2
    assert float(in_flight(layout)) == 9


@pytest.mark.parametrize("recompute", ["none", "full"])
def test_each_schedule_waits_less_than_the_one_before(recompute):
    words = ("1f1b", "dualpipe", "zero-bubble", "zero-bubble-v")
    waits = {
        word: float(bubble_s(SHAPE, plan(16, 64, schedule=word, recompute=recompute), 1, 1))
        for word in words
    }
    assert waits["1f1b"] > waits["zero-bubble"] > waits["zero-bubble-v"] >= 0
    assert waits["1f1b"] > waits["dualpipe"] >= waits["zero-bubble-v"]


def test_arrays_of_schedules_equal_single_ones():
    words = np.array(["1f1b", "zero-bubble", "dualpipe"])
    many = plan(4, 16, schedule=words)
    single = [float(step(SHAPE, plan(4, 16, schedule=w), H100, Constants()).step_s) for w in words]
    assert np.asarray(step(SHAPE, many, H100, Constants()).step_s) == pytest.approx(single)


def test_dualpipe_needs_an_even_number_of_stages_and_memory_for_two_copies():
    with pytest.raises(InfeasibleError, match="even pp"):
        plan(3, 12, schedule="dualpipe").require_possible(SHAPE)
    single, two = (
        memory(SHAPE, plan(4, 16, schedule=word), H100).bytes for word in ("1f1b", "dualpipe")
    )
    assert two["weights"] == 2 * single["weights"]


def test_an_unknown_schedule_is_refused_with_those_that_are_known():
    with pytest.raises(InputError, match="zero-bubble"):
        replace(plan(2, 4), schedule="gpipe2")


@given(st.integers(1, 130), st.integers(1, 64), st.booleans())
def test_no_stage_has_fewer_than_no_layers_nor_more_than_all(layers, stages, by_work):
    shape = replace(catalog.model("gpt3-175b").shape, n_layers=layers)
    plan = Plan(n_chips=stages, pp=stages, stages_by_work=by_work)
    fullest, last = (float(each) for each in fullest_and_last(shape, plan))
    assert 0 <= last <= fullest <= layers
