"""What is computed again and what is then stored: k of n layers, up to the last gradient."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy import flops
from energy.errors import InputError
from energy.facts import catalog
from energy.shape import Shape
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.memory import activation_bytes
from simulator.physics.plan import Plan, in_words
from simulator.physics.step import step

PRIORS = Constants()
H100 = Hardware.from_chip(catalog.chip("h100"), "bf16", PRIORS)
DENSE = catalog.model("llama3-8b").shape
MOE = catalog.model("glam-8b-64e").shape


def plan(**fields) -> Plan:
    return Plan(global_batch=8, micro_batch=1, activation_bytes=2, recompute="full", **fields)


def test_two_equal_linear_maps_are_recomputed_for_a_sixth_and_not_a_third():
    # torch.utils.checkpoint without reentrancy stops at the input of the second map: 7/6, not 4/3.
    two = Shape(
        n_layers=1,
        d_model=64,
        n_heads=1,
        n_kv_heads=1,
        d_head=64,
        d_ff=64,
        ffn_matrices=2,
        vocab_size=1,
        seq_len=1,
    )
    for stops, times in ((False, 4 / 3), (True, 7 / 6)):
        executed = flops.executed_flop(two, plan(recompute_stops=stops).flop_execution())
        model = flops.model_flop(two)["dense_ffn"]
        assert executed["dense_ffn"] / model == pytest.approx(times)


@settings(max_examples=30)
@given(
    first=st.floats(0, 1),
    more=st.floats(0, 1),
    flash=st.booleans(),
    moe=st.booleans(),
    stops=st.booleans(),
)
def test_more_recomputed_layers_take_longer_and_store_less(first, more, flash, moe, stops):
    shape, second = (MOE if moe else DENSE), first + (1 - first) * more
    few, many = (
        plan(flash=flash, recompute_share=share, recompute_stops=stops) for share in (first, second)
    )
    times = [step(shape, each, H100, PRIORS) for each in (few, many)]
    assert float(times[0].step_s) <= float(times[1].step_s) * (1 + 1e-12)
    for part, flop in times[0].executed_flop.items():
        assert flop <= times[1].executed_flop[part] * (1 + 1e-12), part
    # A layer at a time is computed anew: at least two are stored less for it.
    if (second - first) * float(shape.n_layers) > 4 and first > 0:
        assert activation_bytes(shape, many) < activation_bytes(shape, few)


@pytest.mark.parametrize("shape", [DENSE, MOE], ids=["dense", "moe"])
@pytest.mark.parametrize("flash", [True, False])
def test_none_of_the_layers_is_no_recomputation_and_all_of_them_is_full(shape, flash):
    none = plan(flash=flash, recompute_share=0.0)
    kept = replace(none, recompute="none")
    assert activation_bytes(shape, none) == activation_bytes(shape, kept)
    assert step(shape, none, H100, PRIORS).seconds == step(shape, kept, H100, PRIORS).seconds


def test_a_share_of_the_layers_is_said_and_checked():
    assert "recompute full of 25% of the layers" in in_words(plan(recompute_share=0.25))
    with pytest.raises(InputError, match="from 0 to 1"):
        plan(recompute_share=1.5)
