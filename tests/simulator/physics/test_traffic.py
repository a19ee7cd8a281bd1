"""Messages, their buffers and their widths, as the TPU compiler sends them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from energy.facts import catalog
from simulator.facts.software import named_software
from simulator.physics.collectives import group
from simulator.physics.communication import messages
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.memory import memory
from simulator.physics.plan import Plan
from simulator.physics.traffic import expert_cut, residuals, slots

PRIORS = Constants()
V4 = Hardware.from_chip(catalog.chip("tpu-v4"), "bf16", PRIORS)
PAIR = replace(catalog.model("glam-8b-64e").shape, n_layers=2, n_moe_layers=1)
"""One dense layer and one mixture."""

CUT = Plan(
    n_chips=64,
    tp=4,
    ep=16,
    etp=4,
    zero=3,
    global_batch=256,
    capacity_factor=1.25,
    activation_bytes=2,
    gathers_again=True,
)
"""256 sequences of 1,024 tokens: 16,384 tokens a group of 4 chips."""


def test_a_pair_of_layers_gathers_its_residuals_nine_times_and_scatters_them_six_times():
    sent = residuals(PAIR, CUT)
    assert (sent["gathers"].count, sent["scatters"].count) == (9, 6)
    assert sent["gathers"].bytes == 16 * 1024 * 4096 * 2


@pytest.mark.parametrize("change", [{"gathers_again": False}, {"sequence_parallel": False}])
def test_elsewhere_the_second_gather_of_an_input_is_hidden_or_not_needed(change):
    assert residuals(PAIR, replace(CUT, **change))["gathers"].count == 6


def test_an_all_to_all_has_the_bytes_of_the_slots_of_a_chip_and_the_cut_those_of_its_group():
    assert slots(PAIR, CUT).bytes * slots(PAIR, CUT).count == 335_544_320
    gathered = expert_cut(PAIR, CUT)["gathers"]
    assert gathered.bytes == 4 * slots(PAIR, CUT).bytes
    assert (gathered.count, expert_cut(PAIR, CUT)["scatters"].count) == (2, 2)


def test_gathered_slots_and_their_results_stand_in_memory_while_a_layer_is_computed():
    whole = expert_cut(PAIR, CUT)["gathers"].bytes
    assert memory(PAIR, CUT, V4).bytes["buffers"] == 2 * whole
    alone = replace(CUT, etp=1, ep=16, tp=1, global_batch=64)
    assert memory(PAIR, alone, V4).bytes["buffers"] == 0


def test_a_compiler_that_places_every_buffer_needs_no_margin():
    assert memory(PAIR, CUT, V4).bytes["margin"] == 0
    h100 = memory(PAIR, CUT, Hardware.from_chip(catalog.chip("h100"), "bf16", PRIORS)).bytes
    assert h100["margin"] == pytest.approx(0.05 / 1.05 * sum(h100.values()))


def test_a_gradient_travels_in_its_own_width_and_is_stored_in_another():
    narrow = replace(CUT, gradient_message_bytes=2)
    wide, sent = (messages(PAIR, plan, V4, PRIORS).shard_s for plan in (CUT, narrow))
    assert sent < wide
    assert memory(PAIR, narrow, V4).bytes == memory(PAIR, CUT, V4).bytes


def test_experts_of_one_copy_are_not_gathered():
    alone = memory(PAIR, CUT, V4).bytes["weights"]
    shared = memory(PAIR, replace(CUT, n_chips=128, global_batch=512), V4).bytes["weights"]
    experts = 64 * 2 * 4096 * 16384 / 64
    assert CUT.expert_dp == 1
    assert shared - alone > experts


@pytest.mark.parametrize(("chips", "times"), [(32, 1), (64, 2), (128, 2)])
def test_weights_and_gradients_over_a_whole_cube_of_64_chips_are_all_reduced(chips, times):
    plan = Plan(n_chips=chips, zero=3, global_batch=chips, gradient_message_bytes=4)
    dense = catalog.model("glam-0.1b").shape
    cube, flat = (replace(V4, link_axes=axes, link_bytes_per_s=1e9) for axes in (3, 2))
    per_byte = [group(chips, 1, chip, PRIORS).link_bytes_per_s for chip in (cube, flat)]
    seconds = [messages(dense, plan, chip, PRIORS).shard_s for chip in (cube, flat)]
    moved = seconds[0] * per_byte[0] / (seconds[1] * per_byte[1])
    assert moved == pytest.approx(times, rel=1e-3)


def test_the_compiler_of_2020_shares_residuals_out_but_has_no_context_parallelism():
    allowed = named_software("xla-2020").allowed()
    assert "sequence_parallel" not in allowed
    assert allowed["cp"] == [1]
    assert named_software("megatron-2021").allowed()["sequence_parallel"] == [False]


@pytest.mark.parametrize(
    ("name", "gib"),
    [("v2", 16), ("v3", 32), ("v4", 32), ("v5e", 16), ("v5p", 96), ("v6e", 32), ("v7", 192)],
)
def test_a_program_may_use_the_gib_of_a_tpu_less_what_its_system_keeps(name, gib):
    kept = gib * 2**30 - catalog.chip(f"tpu-{name}").memory_bytes
    assert 0.2 * 2**30 < kept < 2.6 * 2**30
