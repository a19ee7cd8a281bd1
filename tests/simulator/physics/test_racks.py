"""Domains of 72 chips (NVL72): whole shares of racks in groups; all-to-alls that stay inside."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.facts import catalog
from simulator.physics.collectives import group
from simulator.physics.communication import expert_parallel, pipeline_parallel
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.plan import Plan
from simulator.physics.step import step

PRIORS = Constants()
NVL72 = Hardware.from_chip(catalog.chip("gb200-nvl72"), "bf16", PRIORS)
NODES = replace(NVL72, link_domain_chips=8)
SHAPE = replace(catalog.model("deepseek-v3").shape, n_experts=288)


def plan(ep, n_chips=144, **more):
    return Plan(n_chips=n_chips, ep=ep, global_batch=2 * n_chips, activation_bytes=2, **more)


def to_experts_s(hardware, ep, **more):
    return float(np.asarray(expert_parallel(SHAPE, plan(ep, **more), hardware, PRIORS)))


@given(n=st.integers(1, 5000), stride=st.sampled_from([1, 2, 3, 4, 8]))
def test_a_group_has_as_many_chips_in_each_rack_and_no_more_than_a_rack_has(n, stride):
    ranks = group(n, stride, NVL72, PRIORS)
    inner = float(np.asarray(ranks.inner))
    assert n / inner == pytest.approx(round(n / inner))
    assert inner * stride <= 72 + 1e-9
    fewer = round(n / inner) - 1
    assert inner == 1 or fewer == 0 or n * stride / fewer > 72


@pytest.mark.parametrize(("n", "inner"), [(64, 64), (72, 72), (128, 64), (144, 72), (256, 64)])
def test_jobs_take_64_or_72_chips_of_a_rack(n, inner):
    assert float(np.asarray(group(n, 1, NVL72, PRIORS).inner)) == inner


@given(n=st.sampled_from([2**k for k in range(12)]), stride=st.sampled_from([1, 2, 4, 8, 16]))
def test_powers_of_two_fill_nodes_of_8_as_ever(n, stride):
    inner = float(np.asarray(group(n, stride, NODES, PRIORS).inner))
    assert inner == min(n, max(8 / stride, 1))


@given(ep=st.sampled_from([8, 16, 32, 36, 48, 72]), slower=st.floats(2, 1000))
def test_experts_on_up_to_72_chips_of_a_rack_need_no_network(ep, slower):
    slow = replace(NVL72, network_bytes_per_s=NVL72.network_bytes_per_s / slower)
    assert to_experts_s(slow, ep) == to_experts_s(NVL72, ep)
    assert to_experts_s(slow, 144) > 1.5 * to_experts_s(NVL72, 144)


def test_wide_expert_parallelism_costs_little_in_a_rack_and_much_over_nodes():
    # (e - 1) / e of the bytes go out: 71/72 instead of 7/8, and more hops of latency.
    assert to_experts_s(NVL72, 72) / to_experts_s(NVL72, 8) < 1.3
    assert to_experts_s(NODES, 72) / to_experts_s(NODES, 8) > 8


@pytest.mark.parametrize(("wide", "narrow"), [(32, 8), (48, 16), (72, 8)])
def test_wide_expert_parallelism_pays_in_a_rack_by_more_rows_an_expert(wide, narrow):
    wider, less = (
        step(SHAPE, plan(ep, zero=3, flash=True), NVL72, PRIORS) for ep in (wide, narrow)
    )
    assert wider.seconds["experts"] < less.seconds["experts"]
    assert wider.step_s < less.step_s


def test_stages_speak_over_the_links_where_a_rack_holds_two_of_them():
    # Four stages of 36 chips: two a rack. Two stages of 72: one a rack, over the network.
    slow = replace(NVL72, network_bytes_per_s=NVL72.network_bytes_per_s / 100)

    def between_s(hardware, stages):
        return float(np.asarray(pipeline_parallel(SHAPE, plan(8, pp=stages), hardware, PRIORS)))

    assert between_s(slow, 4) == between_s(NVL72, 4)
    assert between_s(slow, 2) > 50 * between_s(NVL72, 2)
