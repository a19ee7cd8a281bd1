"""What a step of serving needs to know of a model: weights by part, cache, state; as arrays.

A shape is counted once; many models are stacked, one place each, so that one formula serves one
configuration or ten thousand. The parts are those of `energy.shape`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np

from energy.shape import Number, Shape, kinds, parameters, total
from energy.shapes.attention import attention_weights, kv_values, value_width
from energy.shapes.network import (
    computed_experts,
    dense_layers,
    expert_weights,
    router_weights,
    shared_weights,
)
from energy.shapes.recurrence import convolved, inner_width, recurrent_weights
from energy.shapes.stack import attention_layers, branches, either


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """A model as a server sees it; numbers may be arrays.

    Attributes:
        layers: with a mixer and a network each; a layer with one of them alone is a half.
        branches: mixers and networks, each of which ends in a message between chips.
        mixtures: layers that are mixtures of experts.
        recurrent: layers with a recurrence.
        width: M.
        experts: E of a mixture; 1 of a dense model.
        chosen: K, routed experts that a token passes through.
        attention: weights of attention, all layers.
        recurrence: weights of recurrences, all layers.
        dense: weights of dense networks, shared experts and routers, all layers.
        expert: weights of one expert in every mixture.
        head: weights of the output matrix.
        all_weights: all parameters, those of the embedding as well.
        expert_total: those of all experts in all mixtures.
        cache_full: values that a token adds to the caches of layers that see everything.
        cache_window: likewise of layers with a window, an indexer's choice or a chunk.
        window: tokens that those layers keep.
        heads: query heads, which tensor parallelism divides.
        cache_heads: heads of keys and values; 1 where the cache is latent and every chip has it.
        state: values of the states of a sequence.
        score_flop: FLOP of attention for a token and a position, all layers that see everything.
        score_flop_window: likewise of layers with a window.
        prompt_share: of these FLOP that a position of a prompt takes; below 1 where the cache is
            latent, which a prompt expands.
        draft: weights of a module of multi-token prediction; 0 without one.
    """

    layers: Number
    branches: Number
    mixtures: Number
    recurrent: Number
    width: Number
    experts: Number
    chosen: Number
    attention: Number
    recurrence: Number
    dense: Number
    expert: Number
    head: Number
    all_weights: Number
    expert_total: Number
    cache_full: Number
    cache_window: Number
    window: Number
    heads: Number
    cache_heads: Number
    state: Number
    score_flop: Number
    score_flop_window: Number
    prompt_share: Number
    draft: Number

    @classmethod
    def of(cls, shape: Shape) -> Self:
        """Count a shape.

        Qwen3-8B: 36 layers keep 2 * 8 * 128 values of a token each, 73,728 in all.
        """
        own = kinds(shape)
        weights = parameters(shape)
        parts = [_layers(kind) for kind in own]
        summed = {name: sum(part[name] for part in parts) for name in parts[0]}
        is_latent = float(shape.kv_rank) > 0
        least_heads = min(float(kind.n_kv_heads) for kind in own)
        return cls(
            layers=float(branches(shape)) / 2,
            branches=float(branches(shape)),
            mixtures=float(shape.n_moe_layers),
            recurrent=float(shape.n_recurrent_layers),
            width=float(shape.d_model),
            experts=float(shape.n_experts),
            chosen=float(computed_experts(shape)),
            head=float(shape.vocab_size) * shape.d_model,
            all_weights=float(total(weights)) - float(weights.get("prediction", 0)),
            expert_total=float(weights["experts"]),
            window=float(either(shape.window, either(shape.index_positions, 1e12))),
            heads=float(shape.n_heads),
            cache_heads=1.0 if is_latent else least_heads,
            prompt_share=_expanded(shape) / _absorbed(shape),
            draft=float(weights.get("prediction", 0)),
            **summed,
        )

    @classmethod
    def stack(cls, models: Sequence[Self]) -> Self:
        """Many models as one of arrays (models)."""
        return cls(
            **{
                item.name: np.array([getattr(model, item.name) for model in models], float)
                for item in fields(cls)
            }
        )

    def scaled(self, total_ratio: float, active_ratio: float) -> Self:
        """A model of the same build with other sizes: experts by total, the rest by active.

        Args:
            total_ratio: weights of its experts over those of this model's.
            active_ratio: its other weights over this model's.
        """
        names = ("attention", "recurrence", "dense", "head")
        rest = {name: getattr(self, name) * active_ratio for name in names}
        experts = np.asarray(self.expert_total) * total_ratio
        others = np.asarray(self.all_weights) - self.expert_total
        depth = active_ratio ** (1 / 3)
        cached = ("cache_full", "cache_window", "state", "score_flop", "score_flop_window")
        counts = ("layers", "branches", "mixtures", "recurrent", *cached)
        return replace(
            self,
            **rest,
            **{name: getattr(self, name) * depth for name in counts},
            width=self.width * depth,
            expert=self.expert * total_ratio,
            expert_total=experts,
            all_weights=others * active_ratio + experts,
        )


def _layers(shape: Shape) -> dict[str, float]:
    """What the layers of one kind hold, by part."""
    n_attention = float(attention_layers(shape))
    n_window = float(shape.n_window_layers)
    if float(shape.index_positions) > 0:
        n_window = n_attention
    is_latent = float(shape.kv_rank) > 0
    values: Any = shape.kv_rank + shape.d_rope if is_latent else _own_values(shape)
    state = shape.d_state * np.asarray(inner_width(shape)) + shape.conv_width * np.asarray(
        convolved(shape)
    )
    score = 2.0 * float(shape.n_heads) * _absorbed(shape)
    shared = shape.n_moe_layers * (np.asarray(shared_weights(shape)) + router_weights(shape))
    dense = np.asarray(dense_layers(shape)) * shape.ffn_matrices * shape.d_model * shape.d_ff
    return {
        "attention": n_attention * float(attention_weights(shape)),
        "recurrence": float(shape.n_recurrent_layers) * float(recurrent_weights(shape)),
        "dense": float(dense) + float(shared),
        "expert": float(shape.n_moe_layers) * float(expert_weights(shape)),
        "cache_full": (n_attention - n_window) * float(values),
        "cache_window": n_window * float(values),
        "state": float(shape.n_recurrent_layers) * float(state),
        "score_flop": (n_attention - n_window) * score,
        "score_flop_window": n_window * score,
    }


def _own_values(shape: Shape) -> Number:
    """Keys and values that a token of a layer keeps; where keys serve as values, the keys."""
    return kv_values(shape) * np.asarray(shape.kv_matrices) / 2


def _expanded(shape: Shape) -> float:
    """Widths of a key and a value of one head."""
    return float(shape.d_head) + float(shape.d_rope) + float(value_width(shape))


def _absorbed(shape: Shape) -> float:
    """The same in decode: a latent cache is not expanded, queries are brought to its rank."""
    if float(shape.kv_rank) > 0:
        return 2 * float(shape.kv_rank) + float(shape.d_rope)
    return _expanded(shape)
