"""What MaxText's and torchtitan's options mean for a row: kept products, unnamed axes, stages."""

from __future__ import annotations

import numpy as np
import pytest

from energy.facts import catalog
from energy.facts.roofs import roof
from energy.flops import executed_flop, model_flop
from energy.shapes.attention import output_weights
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.plan import Plan
from simulator.published.candidates import plans_of
from simulator.published.shipped import published_tables
from simulator.published.throughput import parse, read_tables
from tests.support.tables import DENSE_ROW

MAXTEXT = DENSE_ROW | {
    "framework": "MaxText (2024-25)",
    "chip": "tpu-v6e",
    "n_chips": "256",
    "tp": "1",
    "zero_fsdp": "ici_fsdp=-1",
    "micro_batch": "2",
    "global_batch_seqs": "512",
}
ALL_BUT_PROJECTIONS = "norms,activations,attention,mlp,experts"


def row(cells, **more):
    table = parse([cells | more])
    assert table.skipped == {}
    return table.rows[0]


@pytest.mark.parametrize(
    ("words", "again"),
    [
        ("custom", "full"),
        ("custom (decoder_layer_input kept)", "full"),
        ("custom (qkv_proj kept)", f"{ALL_BUT_PROJECTIONS},output_projection"),
        ("custom (qkv_proj and out_proj kept)", ALL_BUT_PROJECTIONS),
        ("Custom (QKV_proj kept)", f"{ALL_BUT_PROJECTIONS},output_projection"),
        ("qkv_proj_offloaded", f"{ALL_BUT_PROJECTIONS},output_projection"),
    ],
)
def test_a_policy_of_maxtext_computes_again_what_it_does_not_keep(words, again):
    read = row(MAXTEXT, recompute=words)
    assert read.fields["recompute"] == again
    assert read.not_understood == ()


@pytest.mark.parametrize("kept", ["mlpwi_0 and out_proj", "foo"])
def test_a_product_that_a_policy_keeps_and_no_reading_knows_is_named(kept):
    (unknown,) = row(MAXTEXT, recompute=f"custom ({kept} kept)").not_understood
    assert kept.split()[0] in unknown


def test_the_last_product_of_attention_is_recomputed_alone():
    shape = catalog.model("llama3-70b").shape
    plans = [Plan(recompute=words) for words in ("norms", "norms,output_projection")]
    without, again = (
        executed_flop(shape, plan.flop_execution())["attention_projections"] for plan in plans
    )
    assert again - without == pytest.approx(2 * shape.n_layers * output_weights(shape))
    assert without == model_flop(shape)["attention_projections"]


def test_axes_that_a_mesh_of_maxtext_does_not_name_are_of_one_chip():
    mixture = MAXTEXT | {
        "moe_experts": "8",
        "moe_top_k": "2",
        "moe_every_n": "1",
        "moe_d_ff_expert": "14336",
        "expert_gated": "1",
        "seq_len": "32768",
    }
    assert {(plan["ep"], plan["cp"]) for plan in plans_of(row(mixture))} == {(1, 1)}
    assert {plan["ep"] for plan in plans_of(row(mixture, ep="4"))} == {4}
    named = row(mixture, zero_fsdp="ici_fsdp=16; ici_expert=8; ici_context=2")
    assert {(plan["ep"], plan["cp"]) for plan in plans_of(named)} == {(8, 2)}
    searched = {(plan["ep"], plan["cp"]) for plan in plans_of(row(mixture, zero_fsdp=""))}
    assert len(searched) > 1


def test_the_tensor_axis_of_maxtext_cuts_experts_too():
    rows = {each.row_id: each for each in read_tables(published_tables()).rows}
    plans = plans_of(rows["tpu-recipes-v5p-004"])
    assert [(plan["tp"], plan["etp"], plan["ep"]) for plan in plans] == [(4, 4, 1)]


def test_stages_of_torchtitan_gather_their_weights_once_a_step():
    titan = MAXTEXT | {
        "framework": "torchtitan",
        "chip": "h100-sxm5-80gb",
        "zero_fsdp": "FSDP2",
        "recompute": "full",
    }
    stages = {pp: {p["zero"] for p in plans_of(row(titan, pp=pp))} for pp in ("1", "8")}
    assert stages == {"1": {3}, "8": {1}}
    other = row(titan, framework="PyTorch FSDP (2025)", pp="8")
    assert {plan["zero"] for plan in plans_of(other)} == {3}


def test_gradients_of_fp16_are_summed_in_16_bits_and_those_of_bf16_in_32():
    megatron = MAXTEXT | {"framework": "Megatron-LM (2021)", "chip": "a100", "zero_fsdp": ""}
    widths = {
        precision: {plan["gradient_bytes"] for plan in plans_of(row(megatron, precision=precision))}
        for precision in ("fp16", "bf16")
    }
    assert widths == {"fp16": {2}, "bf16": {4}}


def test_a_chip_that_nobody_measured_reaches_what_its_maker_s_best_one_does():
    for name in ("a100", "tpu-v5e", "gb300-nvl72", "mi300x"):
        chip = catalog.chip(name)
        hardware = Hardware.from_chip(chip, "bf16", Constants())
        assert hardware.reach == pytest.approx(roof(chip).numbers()[0])
    assert np.isclose(Hardware.from_chip(catalog.chip("tpu-v5e"), "bf16", Constants()).reach, 0.97)
