"""The shape of a decoder, and its parameter counts.

Dense is not a special case: a dense layer is one expert that every token passes through. Every
field may be a number or a numpy array, so the same formula serves one model or a million.

Symbols: L layers, M model width, h query heads, k_v key-value heads, d head width, V vocabulary,
S sequence length, H feed-forward width, E experts, K experts per token (top k), H_e expert width.
"""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from energy.errors import InputError, nearest

Number: TypeAlias = float | NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A decoder-only Transformer, dense or mixture-of-experts.

    Attributes:
        n_layers: L, all layers.
        d_model: M, model width.
        n_heads: h, query heads; h * d need not equal M.
        n_kv_heads: k_v, key and value heads; h without grouped-query attention.
        d_head: d, head width.
        d_ff: H, width of the dense feed-forward network.
        ffn_matrices: 2 for a plain feed-forward network, 3 for a gated one.
        vocab_size: V.
        seq_len: S, tokens in a training sequence.
        n_moe_layers: layers whose feed-forward network is a mixture of experts; 0 for dense.
        n_experts: E, routed experts in such a layer.
        top_k: K, routed experts that a token passes through.
        d_expert: H_e, width of one expert.
        expert_matrices: 2 or 3, as in `ffn_matrices`.
        n_shared_experts: experts of the same width that every token passes through.
        tied_embedding: whether input and output embedding share their matrix.
        position_rows: rows of a learned absolute position embedding.
        relative_buckets: buckets of a relative position bias, a scalar per head, in each layer.
        norm_vectors: learned vectors of width M per norm: 1 for scale, 2 for scale and shift.
        window: tokens that a windowed layer attends to; 0 for no window.
        n_window_layers: layers with sliding-window attention.
        q_rank: rank of the compressed query in latent attention; 0 for an uncompressed query.
        kv_rank: rank of the compressed key and value in latent attention; 0 for plain attention.
        d_rope: rotary width per head beside d in latent attention (shared by all heads in keys).
    """

    n_layers: Number
    d_model: Number
    n_heads: Number
    n_kv_heads: Number
    d_head: Number
    d_ff: Number
    ffn_matrices: Number
    vocab_size: Number
    seq_len: Number
    n_moe_layers: Number = 0
    n_experts: Number = 1
    top_k: Number = 1
    d_expert: Number = 0
    expert_matrices: Number = 2
    n_shared_experts: Number = 0
    tied_embedding: Number = True
    position_rows: Number = 0
    relative_buckets: Number = 0
    norm_vectors: Number = 1
    window: Number = 0
    n_window_layers: Number = 0
    q_rank: Number = 0
    kv_rank: Number = 0
    d_rope: Number = 0

    def __post_init__(self) -> None:
        for name in (
            "n_layers",
            "d_model",
            "n_heads",
            "n_kv_heads",
            "d_head",
            "vocab_size",
            "seq_len",
            "n_experts",
            "top_k",
        ):
            self._require(name, np.all(np.asarray(getattr(self, name)) >= 1), "at least 1")
        self._require(
            "top_k", np.all(np.asarray(self.top_k) <= self.n_experts), "at most n_experts"
        )
        self._require(
            "n_moe_layers",
            np.all(np.asarray(self.n_moe_layers) <= self.n_layers),
            "at most n_layers",
        )

    def _require(self, name: str, valid: bool | np.bool_, expectation: str) -> None:
        if not valid:
            raise InputError(f"expected {name} to be {expectation}", f"{getattr(self, name)}")

    def dense(self) -> Self:
        """The dense model of the same layers: every feed-forward network is dense."""
        return replace(self, n_moe_layers=0, n_experts=1, top_k=1, n_shared_experts=0)

    def as_dict(self) -> dict[str, Any]:
        """The fields as plain numbers, for records."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The inverse of `as_dict`.

        Raises:
            InputError: a key is unknown or a required one is absent.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise InputError(
                "expected the fields of a shape", unknown[0], nearest(unknown[0], known)
            )
        required = [field.name for field in fields(cls) if field.default is MISSING]
        if absent := [name for name in required if name not in values]:
            raise InputError("expected the fields of a shape", f"no {', no '.join(absent)}")
        return cls(**values)


def attention_weights(shape: Shape) -> Number:
    """Weights of the four projections of one attention layer.

    Plain or grouped-query: M*h*d (query) + 2*M*k_v*d (key, value) + h*d*M (output).
    Latent (DeepSeek-V2, arXiv:2405.04434): M*q_r + q_r*h*(d + d_rope) (or M*h*(d + d_rope) when
    the query is not compressed) + M*(kv_r + d_rope) + kv_r*h*2d + h*d*M.
    GLaM 64B: 4 * 8192 * 128 * 128 = 5.37e8.
    """
    s = shape
    inner = s.n_heads * s.d_head
    direct = 2 * s.d_model * inner + 2 * s.d_model * s.n_kv_heads * s.d_head
    queries = s.n_heads * (s.d_head + s.d_rope)
    query = np.where(
        np.asarray(s.q_rank) > 0, s.q_rank * (s.d_model + queries), s.d_model * queries
    )
    latent = query + s.d_model * (s.kv_rank + s.d_rope) + s.kv_rank * 2 * inner + inner * s.d_model
    return plain(np.where(np.asarray(s.kv_rank) > 0, latent, direct))


def parameters(shape: Shape) -> dict[str, Number]:
    """Parameters by part; their sum is the size of the model.

    Embedding V*M (twice when untied). Per layer: attention 4*M*h*d, dense feed-forward n_m*M*H
    with n_m matrices, experts E*n_m*M*H_e, shared experts, router M*E (none for a single expert),
    norms.
    GLaM 64B/64E with 256,000 tokens of vocabulary: 1.162e12 (arXiv:2112.06905 says 1.2T).
    """
    s = shape
    untied = 2 - np.asarray(s.tied_embedding, dtype=float)
    latent = np.asarray(s.kv_rank) > 0
    expert = s.expert_matrices * s.d_model * s.d_expert
    parts: dict[str, Any] = {
        "embedding": s.vocab_size * s.d_model * untied + s.position_rows * s.d_model,
        "attention": s.n_layers * attention_weights(s),
        "relative_bias": s.n_layers * s.relative_buckets * s.n_heads,
        "dense_ffn": (s.n_layers - s.n_moe_layers) * s.ffn_matrices * s.d_model * s.d_ff,
        "experts": s.n_moe_layers * s.n_experts * expert,
        "shared_experts": s.n_moe_layers * s.n_shared_experts * expert,
        "router": s.n_moe_layers
        * np.where(np.asarray(s.n_experts) > 1, s.d_model * s.n_experts, 0),
        "norms": (2 * s.n_layers + 1) * s.norm_vectors * s.d_model
        + np.where(latent, s.n_layers * (s.q_rank + s.kv_rank), 0),
    }
    return {name: plain(count) for name, count in parts.items()}


def active_parameters(shape: Shape) -> dict[str, Number]:
    """Parameters that a token passes through, by part.

    As `parameters`, with K experts in place of E. A tied embedding counts once.
    GLaM 64B/64E: 9.66e10, 8.3 % of the total.
    """
    parts = parameters(shape)
    routed = np.asarray(shape.top_k) / np.asarray(shape.n_experts)
    parts["experts"] = plain(parts["experts"] * routed)
    return parts


def total(parts: dict[str, Number]) -> Number:
    """Sum the parts of a count."""
    return plain(sum(parts.values()))


def plain(value: Any) -> Number:
    """An array as it is, a scalar as a Python number: an int when it is whole."""
    if not isinstance(value, int | float) and np.ndim(value):
        return np.asarray(value)
    number = float(value)
    return int(number) if number.is_integer() and abs(number) < 2**53 else number
