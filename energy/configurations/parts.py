"""Fields of a configuration as fields of a shape: attention, recurrence, networks."""

from __future__ import annotations

import math
from typing import Any

from energy.configurations.families import Family
from energy.configurations.fields import Fields, RefusedError

Part = dict[str, Any]


def attention(config: Fields, family: Family) -> Part:
    """Heads, widths, biases, norms and windows of attention layers."""
    settings = config.table("attn_config")
    width, heads = (
        config.size("hidden_size", "d_model"),
        config.size("num_attention_heads", "n_heads", least=1),
    )
    grouped = settings.size("kv_n_heads", default=heads) if settings else heads
    kv_heads = config.size("num_key_value_heads", default=grouped)
    if settings:
        for name in ("rope_theta", "clip_qkv", "attn_pdrop"):
            settings.get(name)
    part: Part = {"n_heads": heads, "n_kv_heads": kv_heads}
    if config.has("kv_lora_rank"):
        part |= _latent(config, heads)
    else:
        if not config.has("head_dim") and width % heads:
            raise RefusedError(
                ["head_dim"], "expected head_dim where heads do not divide hidden_size", "nothing"
            )
        part["d_head"] = config.size("head_dim", "attention_head_dim", default=width // heads)
    names = ("qkv_bias", "attention_bias") + (() if family.recurrent_bias else ("use_bias",))
    bias = config.flag(*names, default=family.qkv_bias)
    if bias and not family.attention_bias:
        raise RefusedError(
            ["attention_bias"],
            "expected attention_bias to be false in this family",
            "true",
            "unset it",
        )
    part |= {
        "qkv_bias": bias,
        "output_bias": bias and family.output_bias,
        "sinks": family.sinks,
        "qk_norm": _qk_norm(config, family, part),
        "d_gate": heads * part["d_head"] if family.gated_heads else 0,
    }
    return part | _indexer(config)


def _latent(config: Fields, heads: int) -> Part:
    """Latent attention, where keys and values have a rank."""
    plain, rope = config.size("qk_nope_head_dim"), config.size("qk_rope_head_dim")
    config.size("head_dim", default=0)
    whole = config.size("qk_head_dim", default=plain + rope)
    if whole != plain + rope:
        raise RefusedError(
            ["qk_head_dim"], f"expected qk_head_dim to be {plain} + {rope}", f"{whole}"
        )
    value = config.size("v_head_dim", default=plain)
    return {
        "n_kv_heads": heads,
        "d_head": plain,
        "d_value": 0 if value == plain else value,
        "d_rope": rope,
        "kv_rank": config.size("kv_lora_rank"),
        "q_rank": config.size("q_lora_rank", default=0),
    }


def _qk_norm(config: Fields, family: Family, part: Part) -> int:
    """Learned values of the norms of queries and keys."""
    kind = family.qk_norm
    own = config.get("use_qk_norm", "qk_norm")
    if family.qk_norm_field and not own:
        kind = "none"
    if kind == "head":
        return int(2 * part["d_head"])
    return int((part["n_heads"] + part["n_kv_heads"]) * part["d_head"]) if kind == "full" else 0


def _indexer(config: Fields) -> Part:
    """The indexer of sparse attention."""
    heads = config.size("index_n_heads", default=0)
    width = config.size("index_head_dim", default=0)
    positions = config.size("index_topk", default=0)
    return {"index_heads": heads, "d_index": width, "index_positions": positions}


def recurrence(config: Fields, family: Family, width: int) -> Part:
    """The recurrence of a hybrid, by its kind."""
    readers = {
        "gated-delta": _gated_delta,
        "kimi-delta": _kimi_delta,
        "lightning": _lightning,
        "mamba": _mamba,
        "mamba2": _mamba2,
    }
    return {"recurrence": family.recurrence} | readers[family.recurrence](config, width)


def _gated_delta(config: Fields, _: int) -> Part:
    return {
        "state_heads": config.size("linear_num_value_heads"),
        "state_key_heads": config.size("linear_num_key_heads"),
        "d_state": config.size("linear_key_head_dim"),
        "d_state_value": config.size("linear_value_head_dim"),
        "conv_width": config.size("linear_conv_kernel_dim"),
    }


def _kimi_delta(config: Fields, _: int) -> Part:
    table = config.table("linear_attn_config") or config
    width = table.size("head_dim") if table is not config else config.size("linear_head_dim")
    heads = table.size("num_heads") if table is not config else config.size("linear_num_heads")
    conv = (
        table.size("short_conv_kernel_size")
        if table is not config
        else config.size("linear_conv_kernel_dim")
    )
    for name in ("linear_head_dim", "linear_num_heads", "linear_conv_kernel_dim"):
        config.get(name)
    return {
        "state_heads": heads,
        "d_state": width,
        "d_state_value": width,
        "conv_width": conv,
        "state_rank": width,
    }


def _lightning(config: Fields, width: int) -> Part:
    heads = config.size("num_attention_heads", least=1)
    each = config.size("head_dim", default=width // heads)
    return {"state_heads": heads, "d_state": each, "d_state_value": each}


def _mamba(config: Fields, width: int) -> Part:
    rank = config.get("mamba_dt_rank")
    steps = math.ceil(width / 16) if rank in (None, "auto") else config.size("mamba_dt_rank")
    state = config.size("mamba_d_state")
    return {
        "state_heads": 1,
        "state_key_heads": 1,
        "d_state": state,
        "d_state_value": config.size("mamba_expand") * width,
        "conv_width": config.size("mamba_d_conv"),
        "state_rank": steps,
        "conv_bias": config.flag("mamba_conv_bias", default=True),
        "state_bias": config.flag("mamba_proj_bias"),
        "state_norms": steps + 2 * state,
    }


def _mamba2(config: Fields, width: int) -> Part:
    heads = config.size("mamba_n_heads", "mamba_num_heads", least=1)
    each = config.get("mamba_d_head")
    inner = config.size("mamba_expand", "expand", default=2) * width
    head = inner // heads if each == "auto" else config.size("mamba_head_dim", "mamba_d_head")
    bias = config.flag("mamba_proj_bias")
    if config.values["model_type"] == "nemotron_h":
        bias = config.flag("use_bias")
    return {
        "state_heads": heads,
        "state_key_heads": config.size("n_groups", "mamba_n_groups"),
        "d_state": config.size("ssm_state_size", "mamba_d_state"),
        "d_state_value": head,
        "conv_width": config.size("conv_kernel", "mamba_d_conv"),
        "conv_bias": config.flag("use_conv_bias", "mamba_conv_bias", default=True),
        "state_bias": bias,
    }


def experts_of(config: Fields) -> int:
    """Routed experts of a mixture layer; 1 for a dense model."""
    settings = config.table("ffn_config")
    inner = settings.size("moe_num_experts", default=1) if settings else 1
    names = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
    return max(1, config.size(*names, default=inner))


def networks(config: Fields, family: Family, n_experts: int) -> Part:
    """Dense network and mixture; the number of layers of each is not part of it."""
    names = ("mlp_bias",) if family.recurrent_bias else ("mlp_bias", "use_bias")
    bias = config.flag(*names)
    if bias and not family.network_bias:
        raise RefusedError(
            ["mlp_bias"], "expected mlp_bias to be false in this family", "true", "unset it"
        )
    widths = ("moe_intermediate_size", "expert_ffn_hidden_size")
    usual = config.size("intermediate_size", default=0)
    # Where mixture and dense layers alternate, the second name is that of the dense ones.
    dense = config.size("intermediate_size_mlp", "ffn_hidden_size", default=usual)
    expert = config.size(*widths, default=usual)
    settings = config.table("ffn_config")
    if settings:
        expert = settings.size("ffn_hidden_size")
        for name in (
            "ffn_act_fn",
            "moe_jitter_eps",
            "moe_loss_weight",
            "moe_normalize_expert_weights",
            "hidden_size",
        ):
            settings.get(name)
    part: Part = {"d_ff": dense, "ffn_matrices": family.matrices, "ffn_bias": bias}
    shared = _shared(config, family, expert)
    top_k = _top_k(config, settings)
    latent = config.size("moe_latent_size", default=0)
    if n_experts <= 1:
        if family.mixture and shared.get("d_shared"):
            # Granite's dense hybrids name their only network that of shared experts.
            part["d_ff"] = shared["d_shared"]
        return part
    if not top_k:
        raise RefusedError(
            ["num_experts_per_tok"], f"expected num_experts_per_tok in {config.where}", "nothing"
        )
    return (
        part
        | {
            "n_experts": n_experts,
            "n_zero_experts": config.size("zero_expert_num", default=0),
            "top_k": top_k,
            "d_expert": expert,
            "expert_matrices": family.matrices,
            "expert_bias": family.expert_bias,
            "router_bias": family.router_bias,
            "moe_norms": family.moe_norms,
            "d_latent_expert": latent,
        }
        | shared
    )


def _top_k(config: Fields, settings: Fields | None) -> int:
    """Experts of a token; 0 where nothing says so."""
    names = (
        "num_experts_per_tok",
        "num_experts_per_token",
        "experts_per_token",
        "moe_k",
        "moe_topk",
        "top_k_experts",
    )
    return config.size(*names, default=settings.size("moe_top_k", default=0) if settings else 0)


def _shared(config: Fields, family: Family, expert: int) -> Part:
    """Shared experts: as many of the routed ones' width, or one of a width of its own."""
    names = (
        "n_shared_experts",
        "num_shared_experts",
        "moe_num_shared_experts",
        "num_shared_expert",
    )
    count = config.size(*names, default=family.shared_experts)
    own = (
        "shared_expert_intermediate_size",
        "shared_intermediate_size",
        "moe_shared_expert_intermediate_size",
    )
    width = config.size(*own, default=0)
    if width:
        count = 1
    return {
        "n_shared_experts": count,
        "d_shared": width if width != expert else 0,
        "shared_gate": family.shared_gate and bool(count),
    }
