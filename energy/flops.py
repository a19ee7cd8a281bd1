"""FLOP per token of a decoder: what the mathematics needs, and what the hardware executes.

model FLOP: forward and backward pass, 3 x forward; what MFU and regulation count.
executed FLOP: with recomputation, capacity padding, one-hot dispatch; what time and energy follow.
One multiply-add is 2 FLOP. Symbols are those of `energy.shape`. Norms, softmax and activations are
left out of both: they are no matrix products, and well below 1 % at any model size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from energy.errors import require_choice
from energy.shape import Number, Shape, attention_weights, plain

Convention = Literal["full", "causal"]
"""Whether attention scores count all S x S positions or the half that a causal mask keeps.

Published MFU figures differ in this (PaLM appendix B and MPT: full; Megatron: causal), so every
MFU of this project states its convention.
"""


@dataclass(frozen=True, kw_only=True)
class Execution:
    """How the hardware does the work; fields may be arrays.

    Attributes:
        expert_padding: expert slots computed per slot needed: the capacity factor (normalized by
            K) in capacity mode, the rounding to tiles in dropless mode, 1 without padding.
        recompute_layers: fraction of the layers whose forward pass is recomputed in the backward
            pass.
        recompute_scores: fraction of the layers that recompute only the attention scores.
        one_hot_group: tokens in a group of GShard's one-hot dispatch; 0 for dispatch by sorting,
            which has no FLOP.
        score_multiplier: executed training FLOP of the scores over their forward FLOP: 3, or 3.5
            with a fused backward pass that recomputes them (flash attention, arXiv:2307.08691).
    """

    expert_padding: Number = 1.0
    recompute_layers: Number = 0.0
    recompute_scores: Number = 0.0
    one_hot_group: Number = 0
    score_multiplier: Number = 3.0


def mean_context(shape: Shape, convention: Convention) -> Number:
    """Positions that a token attends to, averaged over the sequence and the layers.

    full: S. causal: S/2. A window of w tokens keeps w - w^2/(2S) positions of a causal sequence
    (w when all positions are counted), which is S/2 at w = S.
    gpt-oss: S 4096, w 128 in every other layer: causal 0.5*(2048 + 126) = 1087.
    """
    s = np.asarray(shape.seq_len, dtype=float)
    w = np.minimum(np.where(np.asarray(shape.window) > 0, shape.window, s), s)
    whole, windowed = (s, w) if convention == "full" else (s / 2, w - w**2 / (2 * s))
    share = np.asarray(shape.n_window_layers) / np.asarray(shape.n_layers)
    return plain((1 - share) * whole + share * windowed)


def forward_flop(shape: Shape, convention: Convention = "full") -> dict[str, Number]:
    """Forward FLOP per token, by part.

    Per layer: attention projections 2*(M*h*d + 2*M*k_v*d + h*d*M); scores 4*S*h*d (half of it
    when causal); dense feed-forward 2*n_m*M*H, with n_m matrices; experts 2*n_m*M*H_e*K; router
    2*M*E. Once: logits 2*V*M.
    GLaM 64B/64E, S = 1024: 2 * 96.6e9 + scores 4.3e9 = 1.97e11 (full), 180 GFLOP as published
    without embedding and scores.

    Raises:
        InputError: the convention is unknown.
    """
    require_choice("a convention", convention, get_args(Convention))
    s = shape
    expert = 2 * s.expert_matrices * s.d_model * s.d_expert
    # In latent attention, keys have width d + d_rope and values have width d.
    widths = 2 * s.d_head + s.d_rope
    parts: dict[str, Any] = {
        "attention_projections": 2 * s.n_layers * attention_weights(s),
        "attention_scores": 2 * s.n_layers * mean_context(s, convention) * s.n_heads * widths,
        "dense_ffn": (s.n_layers - s.n_moe_layers) * 2 * s.ffn_matrices * s.d_model * s.d_ff,
        "experts": s.n_moe_layers * s.top_k * expert,
        "shared_experts": s.n_moe_layers * s.n_shared_experts * expert,
        "router": s.n_moe_layers
        * np.where(np.asarray(s.n_experts) > 1, 2 * s.d_model * s.n_experts, 0),
        "logits": 2 * s.vocab_size * s.d_model,
    }
    return {name: plain(count) for name, count in parts.items()}


def model_flop(shape: Shape, convention: Convention = "full") -> dict[str, Number]:
    """Training FLOP per token, by part: the backward pass costs twice the forward pass.

    GPT-3 175B: 6 * 1.746e11 + scores, so 3.15e23 for 300e9 tokens without them.
    """
    return {name: 3 * count for name, count in forward_flop(shape, convention).items()}


def executed_flop(
    shape: Shape, execution: Execution, convention: Convention = "full"
) -> dict[str, Number]:
    """Training FLOP per token that the hardware executes, by part.

    Adds to `model_flop`: one more forward pass of recomputed layers, padded slots of the experts,
    and GShard's one-hot dispatch and combine: 4*c*K*G*M forward per MoE layer, and 2.5 times that
    with the backward pass (the dispatch mask has no gradient). Their ratio to the experts' FLOP is
    2*G/(n_m*H_e): 3.1 % for GLaM with groups of 1,024, 12.5 % with 4,096.
    """
    forward = forward_flop(shape, convention)
    recomputed = np.asarray(execution.recompute_layers)
    parts: dict[str, Any] = {name: (3 + recomputed) * count for name, count in forward.items()}
    parts["logits"] = 3 * forward["logits"]
    parts["attention_scores"] = forward["attention_scores"] * (
        np.asarray(execution.score_multiplier) + recomputed + np.asarray(execution.recompute_scores)
    )
    parts["experts"] = parts["experts"] * execution.expert_padding
    parts["dispatch"] = shape.n_moe_layers * dispatch_flop(shape, execution) * (2.5 + recomputed)
    return {name: plain(count) for name, count in parts.items()}


def dispatch_flop(shape: Shape, execution: Execution) -> Number:
    """Forward FLOP per token of one-hot dispatch and combine in one MoE layer: 4*c*K*G*M."""
    return plain(
        4
        * np.asarray(execution.expert_padding)
        * shape.top_k
        * execution.one_hot_group
        * np.asarray(shape.d_model)
    )


def mfu(
    model_flop_per_token: float, tokens_per_s: float, chips: float, peak_flop_per_s: float
) -> float:
    """Model FLOP utilization (PaLM, arXiv:2204.02311, appendix B).

    MFU = tokens/s * model FLOP/token / (chips * peak FLOP/s).
    GLaM: 132.3 tokens/s/chip * 5.796e11 / 2.75e14 = 0.279.
    """
    return tokens_per_s * model_flop_per_token / (chips * peak_flop_per_s)
