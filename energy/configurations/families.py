"""What the class of a family says of its layers and no field of its configuration does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from energy.configurations.fields import RefusedError
from energy.errors import nearest
from energy.shapes.recurrence import Recurrence

Norms = Literal["none", "head", "full"]


@dataclass(frozen=True, kw_only=True)
class Family:
    """Facts of a class of models.

    Attributes:
        qk_norm: norms of queries and keys: none, over one head, over all heads of a layer.
        qk_norm_field: field that says whether there are any.
        qkv_bias: whether the projections of queries, keys and values have biases when no field
            says so.
        attention_bias: whether the class has the biases that attention_bias asks for.
        output_bias: whether biases of attention include the output projection.
        sinks: whether heads have attention sinks.
        network_bias: whether networks have the biases that mlp_bias asks for.
        recurrent_bias: whether use_bias is of the recurrence alone.
        gated_heads: whether queries come with a gate of the same width.
        norm_vectors: learned vectors of a norm.
        branch_norms: norms of a branch.
        matrices: of a feed-forward network.
        tied: whether embeddings are tied when no field says so.
        mixture: whether layers are mixtures when no field says which.
        dense_beside: whether mixture layers have a dense network too.
        shared_experts: shared experts that no field names.
        shared_gate: whether a gate weights them.
        expert_bias: whether routed experts have biases.
        router_bias: whether the router has a value for each expert besides its matrix.
        moe_norms: norms that a mixture layer has beside the usual ones.
        recurrence: kind of its recurrent layers.
        full_every: every how many layers one has full attention, when no field says so.
    """

    qk_norm: Norms = "none"
    qk_norm_field: str = ""
    qkv_bias: bool = False
    attention_bias: bool = True
    output_bias: bool = True
    sinks: bool = False
    network_bias: bool = False
    recurrent_bias: bool = False
    gated_heads: bool = False
    norm_vectors: int = 1
    branch_norms: int = 1
    matrices: int = 3
    tied: bool = False
    mixture: bool = False
    dense_beside: bool = False
    shared_experts: int = 0
    shared_gate: bool = False
    expert_bias: bool = False
    router_bias: bool = False
    moe_norms: int = 0
    recurrence: Recurrence = "none"
    full_every: int = 0


_DEEPSEEK = Family()
_QWEN_NEXT = Family(
    qk_norm="head",
    gated_heads=True,
    shared_gate=True,
    mixture=True,
    recurrence="gated-delta",
    full_every=4,
)

FAMILIES: dict[str, Family] = {
    "llama": Family(network_bias=True),
    "mistral": Family(),
    "ministral3": Family(),
    "granite": Family(network_bias=True),
    "mixtral": Family(mixture=True),
    "qwen2": Family(qkv_bias=True, output_bias=False),
    "qwen2_moe": Family(qkv_bias=True, output_bias=False, mixture=True, shared_gate=True),
    "qwen3": Family(qk_norm="head"),
    "qwen3_moe": Family(qk_norm="head", mixture=True),
    "qwen3_next": _QWEN_NEXT,
    "qwen3_5_text": Family(
        qk_norm="head", gated_heads=True, recurrence="gated-delta", full_every=4
    ),
    "qwen3_5_moe_text": _QWEN_NEXT,
    "deepseek_v2": Family(network_bias=True),
    "deepseek_v3": _DEEPSEEK,
    "deepseek_v32": _DEEPSEEK,
    "kimi_k2": _DEEPSEEK,
    "kimi_linear": Family(recurrence="kimi-delta"),
    "glm4_moe": Family(qk_norm="head", qk_norm_field="use_qk_norm", output_bias=False),
    "glm4_moe_lite": _DEEPSEEK,
    "glm_moe_dsa": _DEEPSEEK,
    "gpt_oss": Family(
        qkv_bias=True, sinks=True, mixture=True, expert_bias=True, router_bias=True, full_every=2
    ),
    "llama4_text": Family(shared_experts=1, full_every=4),
    "minimax": Family(mixture=True, recurrence="lightning", full_every=2),
    "minimax_m1": Family(mixture=True, recurrence="lightning"),
    "minimax_text_01": Family(mixture=True, recurrence="lightning"),
    "minimax_m2": Family(qk_norm="full", mixture=True),
    "hunyuan_v1_dense": Family(qk_norm="head"),
    "hunyuan_v1_moe": Family(qk_norm="head", mixture=True, shared_experts=1),
    "ernie4_5": Family(tied=True, network_bias=True),
    "ernie4_5_moe": Family(tied=True, network_bias=True, router_bias=True),
    "granitemoe": Family(mixture=True),
    "granitemoeshared": Family(mixture=True),
    "granitemoehybrid": Family(mixture=True, recurrence="mamba2"),
    "nemotron_h": Family(
        attention_bias=False,
        matrices=2,
        recurrence="mamba2",
        network_bias=True,
        recurrent_bias=True,
    ),
    "jamba": Family(recurrence="mamba"),
    "gemma3_text": Family(qk_norm="head", branch_norms=2, tied=True, full_every=6),
    "gemma4_text": Family(
        dense_beside=True,
        qk_norm="head",
        branch_norms=2,
        tied=True,
        full_every=6,
        router_bias=True,
        moe_norms=4,
    ),
    "olmo2": Family(qk_norm="full"),
    "olmo3": Family(qk_norm="full", full_every=4),
    "olmoe": Family(qk_norm="full", mixture=True),
    "dots1": Family(qk_norm="head"),
    "phimoe": Family(norm_vectors=2, mixture=True),
    "dbrx": Family(mixture=True),
}
"""By `model_type`. Each is counted against transformers' own class in the tests."""

SAME_AS = {
    "MiniMaxM1": "minimax_m1",
    "MiniMaxText01": "minimax_text_01",
    "minimax-text-01": "minimax_text_01",
    "hunyuan": "hunyuan_v1_moe",
    "qwen3_5": "qwen3_5_text",
    "qwen3_5_moe": "qwen3_5_moe_text",
    "gemma3": "gemma3_text",
    "gemma4": "gemma4_text",
    "llama4": "llama4_text",
}
"""Other spellings of a `model_type`."""


def family_of(model_type: object, where: str) -> tuple[str, Family]:
    """The family of a configuration, by its `model_type`.

    Raises:
        InputError: there is none, or it is not known: it is never read as another.
    """
    name = SAME_AS.get(str(model_type), str(model_type))
    if name not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise RefusedError(
            ["model_type"],
            f"expected a known model_type in {where}",
            "nothing" if model_type is None else f"{model_type}",
            f"{nearest(name, FAMILIES)}; known: {known}; "
            "or write the sizes as [model.shape] of a scenario",
        )
    return name, FAMILIES[name]
