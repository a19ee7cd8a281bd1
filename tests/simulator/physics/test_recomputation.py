"""What is computed again and what is then stored: k of n layers, up to the last gradient."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy import flops
from energy.errors import InputError
from energy.facts import catalog
from energy.shape import Shape
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.memory import activations
from simulator.physics.plan import Plan, in_words
from simulator.physics.recomputation import MODULES
from simulator.physics.step import step
from simulator.physics.traffic import slots

PRIORS = Constants()
H100 = Hardware.from_chip(catalog.chip("h100"), "bf16", PRIORS)
DENSE = catalog.model("llama3-8b").shape
MOE = catalog.model("glam-8b-64e").shape


def activation_bytes(shape, plan):
    """Of all layers, and of the one that runs besides."""
    of_all, of_one = activations(shape, plan)
    return of_all + of_one


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


def named(recompute, **fields):
    return replace(plan(flash=True, **fields), recompute=recompute)


def executed(shape, of):
    return flops.executed_flop(shape, of.flop_execution())


def test_networks_alone_are_computed_again_for_a_third_of_their_step():
    # Llama 3 8B: three products of 4,096 x 14,336 a layer, 3.52e8 FLOP a token forward.
    forward = flops.forward_flop(DENSE)["dense_ffn"]
    assert forward == pytest.approx(32 * 3.523e8, rel=1e-3)
    whole, part = executed(DENSE, named("none")), executed(DENSE, named("mlp"))
    assert {name for name in whole if whole[name] != part[name]} == {"dense_ffn"}
    assert part["dense_ffn"] == pytest.approx(4 * forward)
    stops = executed(DENSE, named("mlp", recompute_stops=True))
    assert stops["dense_ffn"] == pytest.approx((3 + 2 / 3) * forward)


def test_networks_that_are_computed_again_store_nothing_but_those_of_one_layer():
    # Two bytes of 4 x 14,336 values a token, in 31 of 32 layers: 29 GB for 8,192 tokens.
    stored = [activation_bytes(DENSE, named(word)) for word in ("none", "mlp")]
    assert stored[0] - stored[1] == pytest.approx(31 * 4 * 14336 * 2 * DENSE.seq_len)


def test_projections_from_latents_are_computed_again_as_their_part_of_the_weights():
    # DeepSeek-V3: 1,536 x 128 x 192 + 512 x 128 x 256 of the 1.87e8 weights of a layer's attention.
    shape = catalog.model("deepseek-v3").shape
    more = [executed(shape, named(w))["attention_projections"] for w in ("none", "up_projections")]
    assert more[1] - more[0] == pytest.approx(2 * shape.n_layers * 54_525_952)
    stored = [activation_bytes(shape, named(word)) for word in ("none", "up_projections")]
    # Of each layer but one, 128 x 128 queries and twice as many keys and values become 2,112.
    fewer = 3 * 128 * 128 - (1536 + 512 + 64)
    assert stored[0] - stored[1] == pytest.approx((shape.n_layers - 1) * fewer * 2 * shape.seq_len)


def test_every_second_product_is_keys_and_output_and_one_of_a_gated_network():
    # Llama 3 8B by torchtitan: of q, k, v, o, w1, w3, w2 the second, fourth and sixth.
    again = executed(DENSE, named("second_products", recompute_stops=True))
    once, forward = executed(DENSE, named("none")), flops.forward_flop(DENSE)
    more = {name: again[name] - once[name] for name in once if again[name] != once[name]}
    width, kept = 4096, 1024
    assert more == pytest.approx(
        {
            "attention_projections": 32 * 2 * width * (kept + width),
            "dense_ffn": 32 * 2 * width * 14336,
        }
    )
    assert more["dense_ffn"] == pytest.approx(forward["dense_ffn"] / 3)


def test_every_second_product_is_not_stored_but_in_one_layer():
    # 31 layers without keys (1,024) and one of the inner results (14,336) of 2 bytes a token.
    stored = [activation_bytes(DENSE, named(word)) for word in ("none", "second_products")]
    assert stored[0] - stored[1] == pytest.approx(31 * (1024 + 14336) * 2 * DENSE.seq_len)


def test_by_operation_lies_between_nothing_and_everything():
    words = ("none", "norms,activations,second_products", "full")
    plans = [named(word, recompute_stops=True) for word in words]
    times = [float(step(DENSE, each, H100, PRIORS).step_s) for each in plans]
    stored = [float(activation_bytes(DENSE, each)) for each in plans]
    assert times == sorted(times)
    assert stored == sorted(stored, reverse=True)


def test_mixtures_that_are_computed_again_send_their_tokens_again():
    apart = named("none", n_chips=8, ep=8), named("experts", n_chips=8, ep=8)
    sent = [float(slots(MOE, each).count) for each in apart]
    assert sent[1] / sent[0] == pytest.approx(6 / 4)
    parts = [executed(MOE, each) for each in apart]
    for name in ("experts", "router"):
        assert parts[1][name] / parts[0][name] == pytest.approx(4 / 3)


def test_norms_and_activations_are_what_selective_stands_for_where_attention_is_fused():
    for shape in (DENSE, MOE):
        times = [
            step(shape, named(word), H100, PRIORS).seconds
            for word in ("selective", "norms,activations", "activations,norms")
        ]
        assert times[0] == times[1] == times[2]


@settings(max_examples=30)
@given(
    few=st.sets(st.sampled_from(MODULES), min_size=1),
    more=st.sets(st.sampled_from(MODULES)),
    moe=st.booleans(),
)
def test_more_modules_take_no_less_time_and_store_no_more(few, more, moe):
    shape = MOE if moe else DENSE
    first, second = (named(",".join(sorted(names))) for names in (few, few | more))
    ends = [step(shape, each, H100, PRIORS) for each in (first, second)]
    assert float(ends[0].step_s) <= float(ends[1].step_s) * (1 + 1e-12)
    assert activation_bytes(shape, second) <= activation_bytes(shape, first) * (1 + 1e-12)


def test_modules_of_many_plans_are_those_of_each():
    words = ["none", "mlp", "full", "norms,experts", "selective"]
    many = replace(named("none"), recompute=np.array(words))
    sizes = [activation_bytes(MOE, named(word)) for word in words]
    np.testing.assert_allclose(activation_bytes(MOE, many), sizes, rtol=1e-12)
    times = [float(step(MOE, named(word), H100, PRIORS).step_s) for word in words]
    np.testing.assert_allclose(step(MOE, many, H100, PRIORS).step_s, times, rtol=1e-12)


def test_an_unknown_module_is_refused_with_those_that_are_known():
    with pytest.raises(InputError, match="modules such as norms,mlp of norms, activations"):
        named("norms,router")


def test_a_share_of_the_layers_is_said_and_checked():
    assert "recompute full of 25% of the layers" in in_words(plan(recompute_share=0.25))
    with pytest.raises(InputError, match="from 0 to 1"):
        plan(recompute_share=1.5)


@pytest.mark.parametrize("fuses", [False, True])
@pytest.mark.parametrize("shape", [DENSE, MOE], ids=["dense", "mixture"])
def test_selective_recomputation_of_scores_stores_what_that_of_attention_does(shape, fuses):
    apart = [replace(plan(fuses=fuses), recompute=words) for words in ("selective", "attention")]
    several = [activations(shape, each)[0] for each in apart]
    assert several[0] == several[1]
    alone = [activation_bytes(shape, each) for each in apart]
    whole = activation_bytes(shape, replace(apart[0], recompute="none"))
    assert alone[0] == pytest.approx(alone[1], rel=0.15)
    assert max(alone) < whole


def test_software_that_fuses_stores_no_results_of_norms_and_activations():
    eager, fused = (
        activations(DENSE, replace(plan(flash=True, fuses=fuses), recompute="none"))[0]
        for fuses in (False, True)
    )
    named = replace(plan(flash=True), recompute="norms,activations")
    assert fused == activations(DENSE, named)[0] < eager
