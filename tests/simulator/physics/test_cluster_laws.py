"""Laws of a step on many chips that are true whatever the constants are."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from energy.errors import InfeasibleError
from energy.facts import catalog
from energy.shape import Shape
from simulator.physics.communication import messages
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.memory import memory
from simulator.physics.plan import Plan
from simulator.physics.power import chip_watts
from simulator.physics.step import step
from simulator.plans.evaluate import evaluate
from simulator.plans.space import space
from simulator.runs.setup import Setup
from simulator.scenarios.scenario import check
from tests.oracles.flat_plans import every_plan

PRIORS = Constants()
H100 = Hardware.from_chip(catalog.chip("h100"), "bf16", PRIORS)
TPU = Hardware.from_chip(catalog.chip("tpu-v4"), "bf16", PRIORS)
SWITCHED = replace(TPU, link_axes=0)
GLAM = catalog.model("glam-8b-64e").shape
SMALL = catalog.model("glam-1.7b-64e").shape
DENSE = catalog.model("glam-8b").shape
powers = st.sampled_from([1, 2, 4, 8, 16])
chips = st.sampled_from([H100, TPU])
shapes = st.sampled_from([GLAM, DENSE])


@st.composite
def plans(draw, shape: Shape) -> Plan:
    """A possible plan for a shape of 32 layers and 64 experts."""
    tp, pp, dp = draw(powers), draw(powers), draw(powers)
    ep = draw(powers) if np.any(np.asarray(shape.n_moe_layers)) else 1
    assume((tp * dp) % ep == 0)
    micro = draw(powers)
    return Plan(
        n_chips=tp * pp * dp,
        tp=tp,
        pp=pp,
        ep=ep,
        zero=draw(st.sampled_from([0, 1])),
        global_batch=dp * micro * draw(powers),
        micro_batch=micro,
        activation_bytes=2,
        recompute=draw(st.sampled_from(["none", "selective", "full"])),
    )


# On a torus it can: four chips span two axes and use two thirds of their links, eight use all.
@given(data=st.data(), shape=shapes, hardware=st.sampled_from([H100, SWITCHED]))
def test_doubling_chips_behind_a_switch_never_raises_throughput_per_chip(data, shape, hardware):
    plan = data.draw(plans(shape))
    assume(np.asarray(plan.local_batch) >= 2 * plan.micro_batch)
    doubled = replace(plan, n_chips=2 * plan.n_chips)
    times = [
        float(np.asarray(step(shape, p, hardware, PRIORS).step_s)) * p.n_chips
        for p in (plan, doubled)
    ]
    assert times[1] >= times[0] * (1 - 1e-9)


@given(batch=st.integers(1, 64), shape=shapes, hardware=chips)
def test_one_chip_sends_no_messages(batch, shape, hardware):
    plan = Plan(global_batch=batch)
    sent = messages(shape, plan, hardware, PRIORS)
    assert all(np.all(np.asarray(getattr(sent, item.name)) == 0) for item in fields(sent))
    seconds = step(shape, plan, hardware, PRIORS).seconds
    waits = ("tensor_parallel", "context_parallel", "expert_parallel", "data_parallel", "pipeline")
    assert all(float(np.asarray(seconds[name])) == 0 for name in waits)


@given(data=st.data(), shape=shapes, hardware=chips)
def test_a_single_plan_equals_an_array_of_length_one(data, shape, hardware):
    plan = data.draw(plans(shape))
    columns = {
        item.name: np.array([getattr(plan, item.name)])
        for item in fields(Plan)
        if getattr(plan, item.name) is not None
    }
    arrays = Plan(**columns)
    single, many = (step(shape, p, hardware, PRIORS) for p in (plan, arrays))
    assert np.asarray(many.step_s) == pytest.approx([float(np.asarray(single.step_s))], rel=1e-12)
    watts = [chip_watts(prediction, hardware, PRIORS) for prediction in (single, many)]
    assert np.asarray(watts[1]) == pytest.approx([float(np.asarray(watts[0]))], rel=1e-12)
    sizes = [memory(shape, p, hardware).total_bytes for p in (plan, arrays)]
    assert np.asarray(sizes[1]) == pytest.approx([float(np.asarray(sizes[0]))], rel=1e-12)


@given(
    data=st.data(),
    shape=shapes,
    hardware=chips,
    factor=st.floats(1.0, 50.0),
    field=st.sampled_from(["link_bytes_per_s", "network_bytes_per_s"]),
)
def test_faster_links_never_slow_a_step(data, shape, hardware, factor, field):
    plan = data.draw(plans(shape))
    faster = replace(hardware, **{field: np.asarray(getattr(hardware, field)) * factor})
    before, after = (
        float(np.asarray(step(shape, plan, chip, PRIORS).step_s)) for chip in (hardware, faster)
    )
    assert after <= before * (1 + 1e-12)


@given(data=st.data(), shape=shapes, hardware=chips)
def test_the_parts_of_a_step_are_never_negative_and_sum_to_it(data, shape, hardware):
    prediction = step(shape, data.draw(plans(shape)), hardware, PRIORS)
    parts = [float(np.asarray(value)) for value in prediction.seconds.values()]
    assert min(parts) >= 0
    assert sum(parts) == pytest.approx(float(np.asarray(prediction.step_s)), rel=1e-12)


@given(data=st.data(), imbalance=st.floats(1.0, 8.0), more=st.floats(1.0, 4.0))
def test_a_busier_expert_never_makes_a_step_faster(data, imbalance, more):
    plan = data.draw(plans(GLAM))
    times = [
        float(np.asarray(step(GLAM, replace(plan, imbalance=x), H100, PRIORS).step_s))
        for x in (imbalance, imbalance * more)
    ]
    assert times[1] >= times[0] * (1 - 1e-12)


@pytest.mark.parametrize("group", [64, 512, 1024])
def test_one_hot_dispatch_costs_two_groups_over_the_width_of_an_expert(group):
    # GShard's dispatch and combine (arXiv:2006.16668): 2 G / (n_m H_e) of the experts' FLOP.
    plan = Plan(global_batch=8, dispatch="one-hot", dispatch_group=group)
    flop = step(GLAM, plan, H100, PRIORS).executed_flop
    forward = 2 * group / (GLAM.expert_matrices * GLAM.d_expert)
    # In the backward pass one-hot tensors take 1.5 products per forward one, experts take 2.
    assert flop["dispatch"] / flop["experts"] == pytest.approx(forward * 2.5 / 3, rel=1e-9)


def test_padding_costs_what_maxtext_measured_on_tpu_v6e_without_any_fit():
    from benchmarks.simulator.capacity import PUBLISHED_RATIO, capacity_ratios

    # 49.8 to 38.1 % of the peak for capacity factors from 1.0 to 1.5, whatever the plan was.
    assert np.abs(capacity_ratios() / PUBLISHED_RATIO - 1).max() <= 0.03


@pytest.mark.parametrize(
    "sizes",
    [
        {"n_layers": 10_000, "d_model": 131_072, "n_heads": 1024, "n_kv_heads": 1024},
        {"n_experts": 65_536, "d_expert": 65_536, "n_moe_layers": 32},
        {"seq_len": 10_000_000},
        {"vocab_size": 10_000_000},
    ],
)
def test_absurd_sizes_give_finite_numbers_without_a_warning(sizes):
    shape = replace(GLAM, **sizes)
    plan = Plan(n_chips=1, global_batch=10**9)
    prediction = step(shape, plan, H100, PRIORS)
    assert np.isfinite(float(np.asarray(prediction.step_s)))
    assert np.isfinite(float(np.asarray(memory(shape, plan, H100).total_bytes)))
    assert all(float(np.asarray(flop)) >= 0 for flop in prediction.model_flop.values())


def test_the_search_agrees_with_a_prediction_of_every_single_plan():
    base = Plan(activation_bytes=2, weight_bytes=2, optimizer="adamw", flash=True)
    choices = {"recompute": ["none", "full"], "sequence_parallel": [True]}
    together = evaluate(SMALL, space(SMALL, 16, 32.0, base, choices), H100, PRIORS).in_order()
    indices = range(0, len(together), 7)
    single = [step(SMALL, together.plan(index), H100, PRIORS) for index in indices]
    assert together.step_s[::7] == pytest.approx([float(np.asarray(s.step_s)) for s in single])
    assert 0 < len(together) < together.considered
    assert all(np.all(memory(SMALL, together.plan(index), H100).fits) for index in indices)


def test_every_plan_that_multiplies_to_the_chips_is_in_the_space_once():
    choices = {
        "micro_batch": [1.0],
        "recompute": ["none"],
        "zero": [0],
        "cp": [1],
        "sequence_parallel": [True],
        "vp": [1],
        "etp": [1],
    }
    plans = every_plan(space(GLAM, 16, 16.0, Plan(), choices))
    degrees = list(zip(plans.tp.tolist(), plans.pp.tolist(), plans.ep.tolist(), strict=True))
    expected = {
        (tp, pp, ep)
        for tp, pp, ep in product([1, 2, 4, 8, 16], repeat=3)
        if 16 % (tp * pp) == 0 and (16 // pp) % ep == 0 and 16 // (tp * pp) <= 16
    }
    assert len(degrees) == len(set(degrees))
    assert set(degrees) == expected


def test_chips_that_no_degrees_multiply_to_are_infeasible_with_a_reason():
    with pytest.raises(InfeasibleError, match="multiply to 17 chips"):
        space(GLAM, 17, 4.0, Plan(), {"tp": [2]})


def test_bands_are_wider_for_a_chip_without_fitted_rows():
    widths = []
    for chip in ("h100", "p100"):
        scenario = check(
            {
                "name": "x",
                "model": {"preset": "glam-8b"},
                "run": {"tokens": 1e9, "batch_tokens": 1e6},
                "hardware": {"chip": chip, "count": 8},
            },
            "x",
        )
        low, high = Setup.of(scenario).hardware.time_relative
        widths.append(np.log1p(high) - np.log1p(low))
    assert widths[1] > widths[0]
