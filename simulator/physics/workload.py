"""What a step trains, and on what: all weights, low-rank adapters beside frozen ones, or nothing.

A weight that is frozen needs no gradient of its own, no optimizer state and no message of either,
but the gradient of its input is computed all the same where anything before it is trained. Legend
as in `energy.shape`; r rank of an adapter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energy.flops import Convention, forward_flop
from energy.shape import Number, Shape, kinds, plain
from energy.shapes.attention import value_width
from energy.shapes.network import computed_experts, dense_layers
from energy.shapes.recurrence import inner_width, recurrent_weights
from energy.shapes.stack import attention_layers, either
from simulator.physics.checks import Choice, require, require_word

TRAINED = ("all", "adapters", "none")

MODULES = ("all", "attention")

OF_ACTIVATIONS = ("attention_scores", "index_scores", "recurrence_states")
"""Parts that multiply activations with each other: both gradients are needed whatever is frozen."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What one step trains.

    Attributes:
        trained: "all" weights, "adapters" of low rank beside frozen weights (arXiv:2106.09685), or
            "none": a forward pass alone.
        adapter_rank: r, columns of the first matrix of an adapter and rows of the second.
        adapter_modules: which matrices have adapters: "all" linear layers, or those of "attention".
        sample: tokens of a sample in a packed sequence, which alone a token attends to, each sample
            weighted with its tokens; 0 for the whole sequence.
        filled: share of the positions of a sequence that hold tokens; the rest is padding.
    """

    trained: Choice = "all"
    adapter_rank: Number = 0
    adapter_modules: Choice = "all"
    sample: Number = 0
    filled: Number = 1.0

    def __post_init__(self) -> None:
        require_word(self, "trained", TRAINED)
        require_word(self, "adapter_modules", MODULES)
        require(np.asarray(self.sample) >= 0, "sample", "at least 0", self.sample)
        share = (np.asarray(self.filled) > 0) & (np.asarray(self.filled) <= 1)
        require(share, "filled", "above 0 and at most 1", self.filled)
        ranked = (np.asarray(self.adapter_rank) >= 1) | (np.asarray(self.trained) != "adapters")
        require(ranked, "adapter_rank", "at least 1 where adapters are trained", self.adapter_rank)

    @property
    def input_gradients(self) -> Number:
        """1 where gradients flow backward, 0 where a step is a forward pass alone."""
        return plain(np.where(np.asarray(self.trained) == "none", 0.0, 1.0))

    @property
    def weight_gradients(self) -> Number:
        """1 where the weights of the model have gradients, 0 where they are frozen."""
        return plain(np.where(np.asarray(self.trained) == "all", 1.0, 0.0))

    @property
    def has_adapters(self) -> bool:
        """Whether any of these plans trains adapters."""
        return bool(np.any(np.asarray(self.trained) == "adapters"))


def within_samples(shape: Shape, workload: Workload) -> Shape:
    """The shape as attention sees it, with one sample as its sequence: S of 8,192 becomes 512."""
    if not np.any(sample := np.asarray(workload.sample)):
        return shape
    attended = np.where(sample > 0, np.minimum(sample, shape.seq_len), shape.seq_len)
    return replace(shape, seq_len=plain(attended))


def adapter_columns(shape: Shape, workload: Workload) -> dict[str, Number]:
    """Rows and columns of all adapted matrices of a model together, which a rank multiplies.

    A matrix of k x n has k + n. GPT-3, attention: 96 * 4 * 2 * 12,288 = 9.4e6, at rank 16 151M
    parameters. "routed" are those of one expert in every mixture.

    >>> from energy.facts import catalog
    >>> from simulator.physics.plan import Plan
    >>> adapted = Plan(trained="adapters", adapter_rank=16, adapter_modules="attention")
    >>> columns = adapter_columns(catalog.model("gpt3-175b").shape, adapted)
    >>> f"{columns['attention']:.3g}"
    '9.44e+06'
    """
    everywhere = np.where(np.asarray(workload.adapter_modules) == "all", 1, 0)
    attention = dense = shared = routed = np.asarray(0.0)
    for s in kinds(shape):
        width = np.asarray(s.d_model)
        attention = attention + np.asarray(attention_layers(s)) * _attention_columns(s)
        inner = np.asarray(inner_width(s))
        into = np.asarray(recurrent_weights(s)) / width - inner
        recurrent = np.asarray(s.n_recurrent_layers) * (2 * width + into + inner)
        dense = dense + recurrent + np.asarray(dense_layers(s)) * s.ffn_matrices * (width + s.d_ff)
        matrices = np.asarray(s.n_moe_layers) * s.expert_matrices
        beside = np.asarray(either(s.d_shared, s.d_expert))
        shared = shared + matrices * s.n_shared_experts * (width + beside)
        routed = routed + matrices * (np.asarray(either(s.d_latent_expert, width)) + s.d_expert)
    return {
        "attention": plain(attention),
        "dense": plain(everywhere * (dense + shared)),
        "routed": plain(everywhere * routed),
    }


def _attention_columns(s: Shape) -> NDArray[Any]:
    """Rows and columns of the projections of one attention layer."""
    width, v = np.asarray(s.d_model), np.asarray(value_width(s))
    output = s.n_heads * v + width
    keys = np.minimum(s.kv_matrices, 1) * (width + s.n_kv_heads * s.d_head)
    values = np.maximum(np.asarray(s.kv_matrices) - 1, 0) * (width + s.n_kv_heads * v)
    direct = width + s.n_heads * s.d_head + keys + values
    queries = s.n_heads * (s.d_head + np.asarray(s.d_rope))
    query = np.where(np.asarray(s.q_rank) > 0, width + 2 * s.q_rank + queries, width + queries)
    latent = query + width + s.kv_rank + s.d_rope + s.kv_rank + s.n_heads * (s.d_head + v)
    return np.asarray(np.where(np.asarray(s.kv_rank) > 0, latent, direct) + output)


def adapter_parameters(shape: Shape, workload: Workload) -> tuple[Number, Number]:
    """Parameters of all adapters of a model: (of its experts, of the rest)."""
    columns, rank = adapter_columns(shape, workload), np.asarray(workload.adapter_rank)
    return (
        plain(rank * columns["routed"] * shape.n_experts),
        plain(rank * (np.asarray(columns["attention"]) + columns["dense"])),
    )


def model_flop(
    shape: Shape, workload: Workload, convention: Convention = "full"
) -> dict[str, Number]:
    """FLOP per token that a step needs, by part: 3 x forward where all weights are trained.

    Beside frozen weights 2 x forward, as their gradients are not needed, but 3 x for products of
    activations and for adapters, 2 (k + n) r forward each. A forward pass alone is 1 x. Llama 2
    70B, rank 16, without scores: 4 * 68.7e9 + 6 * 0.21e9 = 2.76e11 instead of 4.12e11.
    """
    backward, whole = np.asarray(workload.input_gradients), np.asarray(workload.weight_gradients)
    forward = forward_flop(within_samples(shape, workload), convention)
    parts: dict[str, Number] = {
        name: plain(count * (1 + backward * (1 + np.where(name in OF_ACTIVATIONS, 1, whole))))
        for name, count in forward.items()
    }
    if workload.has_adapters:
        columns = adapter_columns(shape, workload)
        passed = np.asarray(columns["routed"]) * computed_experts(shape)
        each = 2 * np.asarray(workload.adapter_rank) * (columns["attention"] + passed)
        each = each + 2 * np.asarray(workload.adapter_rank) * columns["dense"]
        parts["adapters"] = plain(3 * each * (1 - whole) * backward)
    return parts
