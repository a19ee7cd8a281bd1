"""Small configurations of every family, made of transformers' own classes."""

import json
from typing import Any

import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, PreTrainedConfig

SIZES: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 160,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}
HEADS = {"head_dim": 24}
EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 48}
DELTA = {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 12,
    "linear_value_head_dim": 20,
    "linear_conv_kernel_dim": 4,
}
LATENT = {
    "num_key_value_heads": 4,
    "kv_lora_rank": 20,
    "q_lora_rank": 28,
    "qk_nope_head_dim": 24,
    "qk_rope_head_dim": 8,
    "v_head_dim": 24,
}
DEEPSEEK = {
    **LATENT,
    **EXPERTS,
    "n_routed_experts": 8,
    "n_shared_experts": 2,
    "n_group": 2,
    "topk_group": 1,
}
INDEX = {"index_n_heads": 4, "index_head_dim": 16, "index_topk": 64}
MAMBA2 = {
    "mamba_n_heads": 8,
    "mamba_d_head": 16,
    "mamba_n_groups": 2,
    "mamba_d_state": 12,
    "mamba_chunk_size": 8,
}

SMALL: dict[str, dict[str, Any]] = {
    "llama": {},
    "mistral": {"sliding_window": 64, **HEADS},
    "ministral3": {"sliding_window": None, **HEADS},
    "granite": {},
    "mixtral": {"num_local_experts": 4},
    "qwen2": {},
    "qwen2_moe": {**EXPERTS, "num_experts": 6, "shared_expert_intermediate_size": 80},
    "qwen3": HEADS,
    "qwen3_moe": {**HEADS, **EXPERTS, "num_experts": 6},
    "qwen3_next": {
        **HEADS,
        **EXPERTS,
        **DELTA,
        "num_experts": 6,
        "shared_expert_intermediate_size": 80,
    },
    "qwen3_5_text": {**HEADS, **DELTA},
    "qwen3_5_moe_text": {
        **HEADS,
        **EXPERTS,
        **DELTA,
        "num_experts": 6,
        "shared_expert_intermediate_size": 80,
    },
    "deepseek_v2": {**DEEPSEEK, "first_k_dense_replace": 1},
    "deepseek_v3": {**DEEPSEEK, "first_k_dense_replace": 1},
    "deepseek_v32": {**DEEPSEEK, **INDEX, "first_k_dense_replace": 1},
    "kimi_linear": {
        **LATENT,
        "moe_intermediate_size": 48,
        "num_experts": 6,
        "num_experts_per_token": 2,
        "linear_num_heads": 4,
        "linear_head_dim": 16,
        "num_hidden_layers": 6,
    },
    "glm4_moe": {
        **HEADS,
        **EXPERTS,
        "n_routed_experts": 6,
        "use_qk_norm": True,
        "attention_bias": True,
    },
    "glm4_moe_lite": {**DEEPSEEK, "qk_nope_head_dim": 16},
    "glm_moe_dsa": {**DEEPSEEK, **INDEX, "v_head_dim": 32, "index_topk_freq": 2},
    "gpt_oss": {**HEADS, "num_local_experts": 6, "num_experts_per_tok": 2, "sliding_window": 64},
    "llama4_text": {
        **HEADS,
        "num_local_experts": 4,
        "interleave_moe_layer_step": 2,
        "intermediate_size_mlp": 112,
        "attention_chunk_size": 64,
    },
    "minimax": {**HEADS, "num_local_experts": 4, "block_size": 8},
    "minimax_m2": {**HEADS, "num_local_experts": 6, "num_experts_per_tok": 2},
    "hunyuan_v1_dense": HEADS,
    "hunyuan_v1_moe": {**HEADS, "num_experts": 4, "moe_topk": 2},
    "ernie4_5": HEADS,
    "ernie4_5_moe": {
        "moe_num_experts": 6,
        "moe_k": 2,
        "moe_intermediate_size": 48,
        "moe_layer_end_index": 3,
        "use_bias": True,
    },
    "granitemoe": {"num_local_experts": 4},
    "granitemoeshared": {"num_local_experts": 4, "shared_intermediate_size": 40},
    "granitemoehybrid": {
        **MAMBA2,
        "num_local_experts": 4,
        "shared_intermediate_size": 40,
        "layer_types": [
            "linear_attention",
            "linear_attention",
            "full_attention",
            "linear_attention",
        ],
    },
    "nemotron_h": {
        **HEADS,
        "hybrid_override_pattern": "MEM*EM-",
        "num_hidden_layers": 7,
        "mamba_num_heads": 8,
        "mamba_head_dim": 16,
        "n_groups": 2,
        "ssm_state_size": 12,
        "chunk_size": 8,
        "n_routed_experts": 6,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 48,
        "moe_shared_expert_intermediate_size": 72,
        "moe_latent_size": 32,
    },
    "jamba": {
        "num_experts": 4,
        "attn_layer_period": 4,
        "attn_layer_offset": 1,
        "mamba_d_state": 8,
        "mamba_dt_rank": 6,
        "use_mamba_kernels": False,
    },
    "gemma3_text": {**HEADS, "sliding_window": 64, "num_hidden_layers": 6},
    "gemma4_text": {
        **HEADS,
        "global_head_dim": 32,
        "num_hidden_layers": 12,
        "num_kv_shared_layers": 4,
        "use_double_wide_mlp": True,
        "hidden_size_per_layer_input": 16,
        "vocab_size_per_layer_input": 160,
        "sliding_window": 64,
    },
    "olmo2": {},
    "olmo3": {"sliding_window": 64},
    "olmoe": {"num_experts": 6, "num_experts_per_tok": 2},
    "dots1": {
        **HEADS,
        **EXPERTS,
        "n_routed_experts": 6,
        "n_shared_experts": 2,
        "first_k_dense_replace": 1,
    },
    "phimoe": {"num_local_experts": 4, "attention_bias": True, "lm_head_bias": True},
    "dbrx": {},
}
"""Sizes of one small model of each family."""

DBRX = {
    "d_model": 64,
    "n_heads": 4,
    "n_layers": 3,
    "vocab_size": 160,
    "max_seq_len": 64,
    "attn_config": {"kv_n_heads": 2, "rope_theta": 5e5, "clip_qkv": 8},
    "ffn_config": {"ffn_hidden_size": 48, "moe_num_experts": 4, "moe_top_k": 2},
}


def small(family: str, **changes: Any) -> PreTrainedConfig:
    """A small configuration of a family."""
    sizes = DBRX if family == "dbrx" else {**SIZES, **SMALL[family]}
    return CONFIG_MAPPING[family](**{**sizes, **changes})


def values(config: PreTrainedConfig) -> dict[str, Any]:
    """A configuration as its config.json has it, with every field."""
    written: dict[str, Any] = json.loads(config.to_json_string(use_diff=False))
    return written


def parameters_of(config: PreTrainedConfig) -> int:
    """Parameters that transformers' own class has, on a device without memory."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    return sum(weight.numel() for weight in model.parameters())
