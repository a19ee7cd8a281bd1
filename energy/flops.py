"""FLOP per token of a decoder: what the mathematics needs, and what the hardware executes.

model FLOP: forward and backward pass, 3 x forward; what MFU and regulation count.
executed FLOP: with recomputation, capacity padding, one-hot dispatch; what time and energy follow.
One multiply-add is 2 FLOP. Symbols are those of `energy.shape`. Norms, softmax and activations are
left out of both: they are no matrix products, and well below 1 % at any model size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np

from energy.errors import require_choice
from energy.shape import Number, Shape, attention_weights, kinds, plain, prediction_layer
from energy.shapes.attention import PARTS_OF_PROJECTIONS, Convention, index_flop, score_flop
from energy.shapes.network import (
    computed_experts,
    dense_layers,
    expert_weights,
    router_weights,
    shared_weights,
)
from energy.shapes.recurrence import chunked_scan_flop, recurrent_weights, scan_flop
from energy.shapes.stack import attention_layers

__all__ = [
    "Convention",
    "Execution",
    "dispatch_flop",
    "executed_flop",
    "forward_flop",
    "mfu",
    "model_flop",
]


@dataclass(frozen=True, kw_only=True)
class Execution:
    """How the hardware does the work; fields may be arrays.

    Attributes:
        expert_padding: expert slots computed per slot needed: the capacity factor (normalized by
            K) in capacity mode, the rounding to tiles in dropless mode, 1 without padding.
        recompute_layers: fraction of the layers whose forward pass is recomputed in the backward
            pass.
        recompute_stops: 1 where that ends at the last value that a gradient needs, so that the last
            product of a dense layer, and the combining one of one-hot dispatch, is not done again;
            0 where all of it is.
        recompute_parts: fraction of the layers that recompute only a part of `forward_flop`, by
            its name; "up_projections" are those of latent attention, "output_projection" the last
            product of attention.
        one_hot_group: tokens in a group of GShard's one-hot dispatch; 0 for dispatch by sorting,
            which has no FLOP.
        score_multiplier: executed training FLOP of the scores over their forward FLOP: 3, or 3.5
            with a fused backward pass that recomputes them (flash attention, arXiv:2307.08691).
    """

    expert_padding: Number = 1.0
    recompute_layers: Number = 0.0
    recompute_stops: Number = 0.0
    recompute_parts: Mapping[str, Number] = field(default_factory=dict)
    one_hot_group: Number = 0
    score_multiplier: Number = 3.0

    def again(self, part: str) -> Number:
        """Fraction of the layers whose backward pass computes a part again, with whole layers."""
        alone = self.recompute_parts.get(part)
        layers = self.recompute_layers
        return layers if alone is None else plain(np.asarray(layers) + alone)


def forward_flop(shape: Shape, convention: Convention = "full") -> dict[str, Number]:
    """Forward FLOP per token, by part.

    Per layer: attention projections 2*(M*h*d + 2*M*k_v*d + h*d*M); scores 4*S*h*d (half of it
    when causal); dense feed-forward 2*n_m*M*H, with n_m matrices; experts 2*n_m*M*H_e*K; router
    2*M*E. Once: logits 2*V*M. Parts that few models have (recurrence, indexers, inputs of layers,
    multi-token prediction) are there only where they are.
    GLaM 64B/64E, S = 1024: 2 * 96.6e9 + scores 4.3e9 = 1.975e11 (full), 180 GFLOP as published
    without embedding and scores.

    >>> from energy.facts import catalog
    >>> glam = catalog.model("glam-64b-64e").shape
    >>> f"{sum(forward_flop(glam).values()):.4g}"
    '1.975e+11'

    Raises:
        InputError: the convention is unknown.
    """
    require_choice("a convention", convention, get_args(Convention))
    s = shape
    parts: dict[str, Any] = {}
    for kind in kinds(s):
        for name, count in _layer_flop(kind, convention).items():
            parts[name] = parts.get(name, 0) + count
    # Each layer's input of its own is projected from the embedding, gated, and projected back.
    parts["layer_inputs"] = 6 * np.asarray(s.n_layers) * s.d_model * s.d_layer_input
    parts["logits"] = logits = 2 * s.vocab_size * s.d_model
    if np.any(s.n_prediction_layers):
        layer = sum(_layer_flop(prediction_layer(s), convention).values())
        joint = 4 * np.asarray(s.d_model) ** 2
        parts["prediction"] = s.n_prediction_layers * (layer + joint + logits)
    return {
        name: plain(count)
        for name, count in parts.items()
        if name not in RARE_PARTS or np.any(count)
    }


RARE_PARTS = ("index_scores", "recurrence", "recurrence_states", "layer_inputs", "prediction")
"""Parts that are left out where a model has none."""


def _layer_flop(shape: Shape, convention: Convention) -> dict[str, Any]:
    """Forward FLOP per token of all layers of one kind, by part."""
    s = shape
    return {
        "attention_projections": 2 * attention_layers(s) * attention_weights(s),
        "attention_scores": score_flop(s, convention),
        "index_scores": index_flop(s, convention),
        "recurrence": 2 * s.n_recurrent_layers * recurrent_weights(s),
        "recurrence_states": s.n_recurrent_layers * scan_flop(s),
        "dense_ffn": dense_layers(s) * 2 * s.ffn_matrices * s.d_model * s.d_ff,
        "experts": s.n_moe_layers * computed_experts(s) * 2 * expert_weights(s),
        "shared_experts": s.n_moe_layers * 2 * shared_weights(s),
        "router": s.n_moe_layers * 2 * router_weights(s),
    }


def model_flop(shape: Shape, convention: Convention = "full") -> dict[str, Number]:
    """Training FLOP per token, by part: the backward pass costs twice the forward pass.

    GPT-3 175B: 6 * 1.746e11 + scores, so 3.14e23 for 300e9 tokens without them (arXiv:2005.14165).

    >>> from energy.facts import catalog
    >>> flop = model_flop(catalog.model("gpt3-175b").shape)
    >>> f"{300e9 * (sum(flop.values()) - flop['attention_scores']):.3g}"
    '3.14e+23'
    """
    return {name: 3 * count for name, count in forward_flop(shape, convention).items()}


def executed_flop(
    shape: Shape, execution: Execution, convention: Convention = "full"
) -> dict[str, Number]:
    """Training FLOP per token that the hardware executes, by part.

    Adds to `model_flop`: one more forward pass of recomputed layers, maybe without the last of the
    n_m products of a dense network (two equal linear maps: 7/6 and not 4/3), padded slots of the
    experts, and GShard's one-hot dispatch and combine: 4*c*K*G*M forward per MoE layer, and 2.5
    times that with the backward pass (the dispatch mask has no gradient). Their ratio to the
    experts' FLOP is 2*G/(n_m*H_e): 3.1 % for GLaM with groups of 1,024, 12.5 % with 4,096.

    >>> from energy.facts import catalog
    >>> glam = catalog.model("glam-64b-64e").shape
    >>> parts = executed_flop(glam, Execution(one_hot_group=1024))
    >>> f"{parts['dispatch'] / parts['experts'] * 3 / 2.5:.1%} of the experts' forward FLOP"
    "3.1% of the experts' forward FLOP"
    """
    forward = forward_flop(shape, convention)
    again = {name: np.asarray(execution.again(name)) for name in forward}
    parts: dict[str, Any] = {name: (3 + again[name]) * count for name, count in forward.items()}
    parts["logits"] = 3 * forward["logits"]
    stops = np.asarray(execution.recompute_stops)
    parts["dense_ffn"] = (3 + again["dense_ffn"] * (1 - stops / shape.ffn_matrices)) * (
        forward["dense_ffn"]
    )
    times = np.asarray(execution.score_multiplier) + again["attention_scores"]
    parts["attention_scores"] = forward["attention_scores"] * times
    for name, weights in PARTS_OF_PROJECTIONS.items():
        if name in execution.recompute_parts:
            once = sum(2 * np.asarray(attention_layers(s)) * weights(s) for s in kinds(shape))
            more = once * np.asarray(execution.recompute_parts[name])
            parts["attention_projections"] = parts["attention_projections"] + more
    parts["experts"] = parts["experts"] * execution.expert_padding
    if "recurrence_states" in forward:
        chunked = sum(kind.n_recurrent_layers * chunked_scan_flop(kind) for kind in kinds(shape))
        parts["recurrence_states"] = (3 + again["recurrence_states"]) * chunked
    one_hot = shape.n_moe_layers * dispatch_flop(shape, execution)
    # of the two products it is the last, which combines, whose result no gradient needs
    parts["dispatch"] = one_hot * (2.5 + again["experts"] * (1 - stops / 2))
    return {name: plain(count) for name, count in parts.items()}


def dispatch_flop(shape: Shape, execution: Execution) -> Number:
    """Forward FLOP per token of one-hot dispatch and combine in one MoE layer: 4*c*K*G*M.

    >>> from energy.facts import catalog
    >>> glam = catalog.model("glam-64b-64e").shape
    >>> dispatch_flop(glam, Execution(one_hot_group=1024)) == 4 * 2 * 1024 * 8192
    True
    """
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

    >>> round(mfu(5.796e11, 132.3, 1, 2.75e14), 3)
    0.279
    """
    return tokens_per_s * model_flop_per_token / (chips * peak_flop_per_s)
