"""Messages of tokens to their experts: to each expert, or once to each node of its experts."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.facts import catalog
from simulator.facts.software import expert_nodes_of, software_of
from simulator.physics.collectives import Group, group
from simulator.physics.communication import expert_parallel
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.plan import Plan
from simulator.physics.step import step

PRIORS = Constants()
H100 = Hardware.from_chip(catalog.chip("h100"), "bf16", PRIORS)
NVL72 = Hardware.from_chip(catalog.chip("gb200-nvl72"), "bf16", PRIORS)
SHAPE = catalog.model("glam-8b-64e").shape


def messages_s(hardware=H100, ep=64, shape=SHAPE, **fields):
    plan = Plan(n_chips=64, ep=ep, global_batch=64, micro_batch=1, activation_bytes=2, **fields)
    return float(np.asarray(expert_parallel(shape, plan, hardware, PRIORS)))


def test_8_choices_over_4_nodes_of_8_chips_cross_2_7_times_instead_of_6():
    chips = group(32, 1, H100, PRIORS)
    rate = H100.network_bytes_per_s * PRIORS.network_efficiency
    latency = float(np.asarray(chips.latency_s))
    once = float(np.asarray(chips.dispatch_s(8e9, 8, 1024))) - latency
    each = float(np.asarray(chips.all_to_all_s(8e9))) - latency
    assert once * rate / 1e9 == pytest.approx(4 * (1 - 0.75**8) * 0.75)
    assert each * rate / 1e9 == pytest.approx(8 * 24 / 32)


@given(choices=st.integers(1, 16), ep=st.sampled_from([2, 8, 16, 64]))
def test_sending_once_to_a_node_is_never_slower_and_equal_within_one(choices, ep):
    shape = replace(SHAPE, top_k=choices)
    plain, once = (
        messages_s(ep=ep, shape=shape, expert_messages=kind) for kind in ("all-to-all", "by-node")
    )
    assert once <= plain * (1 + 1e-12)
    if ep <= 8 or choices == 1:
        assert once == pytest.approx(plain)


def test_a_limit_of_nodes_sends_less_and_a_rack_of_72_chips_needs_no_network():
    many = replace(SHAPE, top_k=8)
    free, limited = (
        messages_s(shape=many, expert_messages="by-node", expert_nodes=nodes) for nodes in (1024, 4)
    )
    assert limited < free
    assert messages_s(NVL72, shape=many) < limited / 4


def test_messages_that_another_micro_batch_hides_cost_less():
    plan = {"n_chips": 64, "ep": 64, "global_batch": 256, "micro_batch": 1, "activation_bytes": 2}
    plain, hidden = (
        float(np.asarray(step(SHAPE, Plan(**plan, expert_overlap=o), H100, PRIORS).step_s))
        for o in (False, True)
    )
    assert hidden < plain


def test_software_and_models_say_how_tokens_travel():
    assert software_of("Megatron-Bridge 26.04").expert_messages == "by-node"
    assert software_of("Megatron-Core (Folding)").expert_messages == "all-to-all"
    assert expert_nodes_of("DeepSeek-V3 deepseek") == 4
    assert expert_nodes_of("Qwen3-235B-A22B qwen3") is None


@given(n=st.sampled_from([4, 8, 16, 32]), size=st.floats(1e6, 1e12))
def test_an_all_to_all_on_a_ring_of_a_torus_is_a_quarter_of_an_all_gather(n, size):
    # An all-gather of V bytes takes V / W, less the part that a chip has; an all-to-all V / (4 W).
    ring = Group(
        size=n, inner=n, link_bytes_per_s=9e10, network_bytes_per_s=1.0, latency_s=0.0, axes=1
    )
    assert ring.all_to_all_s(size / n) == pytest.approx(size / 9e10 / 4)
    switch = replace(ring, axes=0)
    assert ring.all_to_all_s(size) >= switch.all_to_all_s(size)
    assert ring.all_gather_s(size) == switch.all_gather_s(size)


def test_64_chips_on_three_axes_send_three_times_as_long_as_through_a_switch():
    torus = Group(
        size=64, inner=64, link_bytes_per_s=3e11, network_bytes_per_s=1.0, latency_s=0.0, axes=3
    )
    switch = replace(torus, axes=0)
    times = torus.all_to_all_s(1e9) / switch.all_to_all_s(1e9)
    assert times == pytest.approx(3 * 64 / 63)
