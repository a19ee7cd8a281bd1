"""What a step trains: laws that hold whatever the constants are, and published counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy import flops
from energy.errors import InputError
from energy.facts import catalog
from energy.shape import Shape, parameters, total
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.memory import memory
from simulator.physics.plan import Plan
from simulator.physics.step import step
from simulator.physics.workload import OF_ACTIVATIONS, Workload, adapter_parameters, model_flop

PRIORS = Constants()
H100 = Hardware.from_chip(catalog.chip("h100"), "bf16", PRIORS)
LLAMA2_7B = Shape(
    n_layers=32,
    d_model=4096,
    n_heads=32,
    n_kv_heads=32,
    d_head=128,
    d_ff=11008,
    ffn_matrices=3,
    vocab_size=32000,
    seq_len=4096,
)
MODELS = ("glam-8b", "glam-8b-64e", "deepseek-v3", "llama3-8b", "qwen3-next-80b-a3b")
LORA = {"trained": "adapters", "adapter_rank": 16}
PLANS = [
    {"n_chips": 64, "dp": 1, "zero": 1},
    {"n_chips": 64, "zero": 3},
    {"n_chips": 64, "tp": 4, "pp": 2, "zero": 1},
    {"n_chips": 64, "zero": 3, "recompute": "full"},
    {"n_chips": 64, "flash": True, "zero": 0},
]


def shape_of(name: str) -> Shape:
    return catalog.model(name).shape


def plan_of(fields: dict, **workload) -> Plan:
    known = {"weight_bytes": 2, "activation_bytes": 2, "product_bytes": 2, "optimizer": "adamw"}
    named = {name: value for name, value in fields.items() if name != "dp"}
    return Plan(global_batch=128, micro_batch=1, **known, **named, **workload)


@pytest.mark.parametrize(("modules", "published"), [("attention", 16_777_216), ("all", 39_976_960)])
def test_adapters_of_rank_16_of_llama_2_7b_have_the_parameters_that_peft_prints(modules, published):
    # print_trainable_parameters() with r=16, for q, k, v and o, and for all linear layers.
    work = Workload(trained="adapters", adapter_rank=16, adapter_modules=modules)
    assert sum(adapter_parameters(LLAMA2_7B, work)) == published


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_the_backward_pass_of_adapters_skips_the_gradients_of_frozen_weights(name, plan):
    shape = shape_of(name)
    whole = step(shape, plan_of(plan), H100, PRIORS).executed_flop
    adapted = step(shape, plan_of(plan, **LORA), H100, PRIORS).executed_flop
    again = 1.0 if plan.get("recompute") == "full" else 0.0
    for part in ("attention_projections", "dense_ffn", "experts", "shared_experts"):
        if part in whole:
            assert adapted[part] / whole[part] == pytest.approx((2 + again) / (3 + again)), part
    for part in ("attention_scores", "recurrence_states"):
        if part in whole:
            assert adapted[part] == pytest.approx(whole[part]), part
    assert adapted["logits"] == pytest.approx(whole["logits"] * 2 / 3)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_adapters_take_less_memory_and_messages_but_their_own(name, plan):
    shape = shape_of(name)
    whole, adapted = (plan_of(plan, **work) for work in ({}, LORA))
    before, after = (memory(shape, each, H100).bytes for each in (whole, adapted))
    share = sum(adapter_parameters(shape, adapted)) / total(parameters(shape))
    # 24 bytes of state and gradients a parameter at most, but for those of the adapters.
    for part in ("gradients", "optimizer"):
        assert after[part] <= before[part] * min(1.0, 6 * share), part
    assert after["activations"] == before["activations"]
    sent = [step(shape, each, H100, PRIORS).seconds["data_parallel"] for each in (whole, adapted)]
    assert sent[1] < sent[0]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_a_forward_pass_alone_is_a_third_of_the_work_and_stores_one_layer(name, plan):
    shape = shape_of(name)
    plan = {key: value for key, value in plan.items() if key != "recompute"}
    whole, forward = plan_of(plan), plan_of(plan, trained="none")
    ours = step(shape, forward, H100, PRIORS)
    counted = flops.forward_flop(shape, "causal" if whole.flash else "full")
    tokens = 128 * float(shape.seq_len) / 64
    for part, per_token in counted.items():
        if part not in ("recurrence_states", "prediction"):
            # A gate of shared experts, 0.2 % of a router, is in no operation.
            near = pytest.approx(per_token * tokens, rel=3e-3)
            assert ours.executed_flop.get(part, 0) == near, part
    used, stored = (memory(shape, each, H100).bytes for each in (forward, whole))
    assert used["gradients"] == used["optimizer"] == 0
    assert used["activations"] < stored["activations"]
    assert (
        ours.seconds["data_parallel"] <= step(shape, whole, H100, PRIORS).seconds["data_parallel"]
    )


@given(
    name=st.sampled_from(MODELS),
    rank=st.integers(1, 256),
    sample=st.integers(1, 4096),
    filled=st.floats(0.1, 1.0),
    modules=st.sampled_from(["all", "attention"]),
)
@settings(max_examples=40)
def test_what_is_trained_orders_the_flop_of_every_model(name, rank, sample, filled, modules):
    shape = shape_of(name)
    work = {"sample": sample, "filled": filled}
    none, whole = (model_flop(shape, Workload(trained=word, **work)) for word in ("none", "all"))
    adapted = model_flop(
        shape, Workload(trained="adapters", adapter_rank=rank, adapter_modules=modules, **work)
    )
    own = adapted.pop("adapters")
    assert own > 0
    assert total(none) < total(adapted) < total(whole)
    assert total(whole) == pytest.approx(3 * total(none))
    for part, count in none.items():
        assert adapted[part] == pytest.approx(count * (3 if part in OF_ACTIVATIONS else 2)), part
    of_sample = flops.model_flop(replace(shape, seq_len=min(sample, shape.seq_len)))
    assert whole == pytest.approx(of_sample)


def test_packed_samples_cost_the_scores_of_their_own_length():
    # Llama 2 7B at 4,096 tokens of samples of 512: an eighth of the scores, all else as it was.
    plan = plan_of({"n_chips": 1, "flash": True})
    packed = replace(plan, sample=512)
    long, short = (step(LLAMA2_7B, each, H100, PRIORS) for each in (plan, packed))
    scores = "attention_scores"
    assert short.executed_flop[scores] == pytest.approx(long.executed_flop[scores] / 8)
    assert short.seconds[scores] < long.seconds[scores]
    same = {name: value for name, value in short.seconds.items() if name not in (scores, "host")}
    assert same == {name: long.seconds[name] for name in same}


def test_plans_of_several_workloads_are_one_array():
    words = np.array(["all", "adapters", "none"])
    plans = replace(plan_of({"n_chips": 8, "zero": 1}), trained=words, adapter_rank=8)
    together = step(LLAMA2_7B, plans, H100, PRIORS)
    needs = memory(LLAMA2_7B, plans, H100).total_bytes
    for place, word in enumerate(words):
        alone = replace(plans, trained=str(word))
        assert np.asarray(together.step_s)[place] == pytest.approx(
            step(LLAMA2_7B, alone, H100, PRIORS).step_s
        )
        assert needs[place] == pytest.approx(memory(LLAMA2_7B, alone, H100).total_bytes)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"trained": "biases"}, "one of all, adapters, none"),
        ({"trained": "adapters"}, "at least 1 where adapters are trained"),
        ({"filled": 1.5}, "above 0 and at most 1"),
        ({"sample": -1}, "at least 0"),
    ],
)
def test_a_workload_that_cannot_be_is_refused_by_its_field(fields, words):
    with pytest.raises(InputError, match=words):
        Workload(**fields)
