"""FLOP per token of a configuration equal what torch counts on transformers' own model."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM

from energy.configurations.read import from_dict
from energy.flops import forward_flop
from energy.shape import total
from tests.support.configurations import SMALL, small, values

TOKENS = 24
BATCH = 2


def delta_rule(config: Any) -> float:
    """Read, write and read again a state of d_k x d_v in each head; convolve each channel."""
    heads, width = config.linear_num_value_heads, config.linear_value_head_dim
    keys = config.linear_num_key_heads * config.linear_key_head_dim
    channels = 2 * keys + heads * width
    return (
        6 * heads * config.linear_key_head_dim * width
        + 2 * config.linear_conv_kernel_dim * channels
    )


def kimi_delta(config: Any) -> float:
    heads, width = config.linear_num_heads, config.linear_head_dim
    return 6 * heads * width**2 + 2 * config.linear_conv_kernel_dim * 3 * heads * width


def lightning(config: Any) -> float:
    return 4 * config.num_attention_heads * config.head_dim**2


def selective_scan(config: Any) -> float:
    """With the matrix of the time steps, which the class multiplies outside of its layer."""
    inner = config.mamba_expand * config.hidden_size
    convolution = 2 * config.mamba_d_conv * inner
    return 4 * inner * config.mamba_d_state + convolution + 2 * config.mamba_dt_rank * inner


def granite_scan(config: Any) -> float:
    inner = config.mamba_n_heads * config.mamba_d_head
    channels = inner + 2 * config.mamba_n_groups * config.mamba_d_state
    return 4 * inner * config.mamba_d_state + 2 * config.mamba_d_conv * channels


def nemotron_scan(config: Any) -> float:
    inner = config.mamba_num_heads * config.mamba_head_dim
    channels = inner + 2 * config.n_groups * config.ssm_state_size
    return 4 * inner * config.ssm_state_size + 2 * config.conv_kernel * channels


REGISTERED = {
    "Qwen3NextGatedDeltaNet": delta_rule,
    "Qwen3_5GatedDeltaNet": delta_rule,
    "Qwen3_5MoeGatedDeltaNet": delta_rule,
    "KimiLinearDeltaAttention": kimi_delta,
    "MiniMaxLightningAttention": lightning,
    "JambaMambaMixer": selective_scan,
    "GraniteMoeHybridMambaLayer": granite_scan,
    "NemotronHMamba2Mixer": nemotron_scan,
}
"""Layers whose recurrence torch's counter cannot see: it is computed element by element, or in
chunks of a size of its own. FLOP a token, by the recurrence itself."""

RUNS_EVERY_EXPERT = {"llama4_text": 4}
"""Families whose class multiplies every token with all experts and scales most results by 0."""


@pytest.mark.parametrize("family", SMALL)
def test_forward_flop_equal_torchs_count(family: str) -> None:
    config = small(family)
    shape = from_dict(values(config), family, seq_len=TOKENS).shape
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").requires_grad_(
        False
    )
    model.eval()
    if hasattr(model, "set_experts_implementation"):
        model.set_experts_implementation("eager")
    tokens = torch.randint(1, 150, (BATCH, TOKENS))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(tokens, use_cache=False)

    flop = forward_flop(shape)
    flop["experts"] *= RUNS_EVERY_EXPERT.get(family, 1)
    assert counted(model, counter.get_flop_counts()) == total(flop) * BATCH * TOKENS


def counted(model: nn.Module, by_module: Mapping[str, Mapping[Any, int]]) -> float:
    """FLOP of a forward pass, with the recurrences as registered in place of what was counted."""
    root = type(model).__name__
    all_flop = float(sum(by_module["Global"].values()))
    for name, module in model.named_modules():
        formula = REGISTERED.get(type(module).__name__)
        if formula is None:
            continue
        matrices = sum(
            sum(by_module.get(f"{root}.{name}.{inner}", {}).values())
            for inner, part in module.named_modules()
            if isinstance(part, nn.Linear)
        )
        of_layer = sum(by_module[f"{root}.{name}"].values())
        all_flop += matrices + formula(model.config) * BATCH * TOKENS - of_layer
    return all_flop
