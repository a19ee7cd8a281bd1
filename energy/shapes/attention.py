"""Attention layers: their fields, weights, and the positions that a token attends to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from energy.shapes.stack import Number, Stack, attention_layers, either, plain

Convention = Literal["full", "causal"]
"""Whether attention scores count all S x S positions or the half that a causal mask keeps.

Published MFU figures differ in this (PaLM appendix B and MPT: full; Megatron: causal), so every
MFU of this project states its convention.
"""


@dataclass(frozen=True, kw_only=True)
class Attention(Stack):
    """The attention of a decoder: plain, grouped-query, latent, windowed or sparse.

    Attributes:
        n_heads: h, query heads; h * d need not equal M.
        n_kv_heads: k_v, key and value heads; h without grouped-query attention.
        d_head: d, width of a query and key head.
        d_value: width of a value head; 0 for d.
        kv_matrices: 2 for keys and values, 1 where keys serve as values, 0 where a layer uses the
            keys and values of an earlier one.
        qkv_bias: whether the projections of the layer's input have biases.
        output_bias: whether the output projection has one.
        qk_norm: learned values of the norms of queries and keys in a layer; 0 without them.
        sinks: whether every head has a learned attention sink.
        d_gate: columns of a gate on the heads' outputs; 0 without one.
        relative_buckets: buckets of a relative position bias, a scalar per head, in each layer.
        window: tokens that a windowed layer attends to; 0 for no window.
        n_window_layers: layers with sliding-window attention.
        chunked_window: whether windows do not slide: a token attends within its chunk alone.
        q_rank: rank of the compressed query in latent attention; 0 for an uncompressed query.
        kv_rank: rank of the compressed key and value in latent attention; 0 for plain attention.
        d_rope: rotary width per head beside d in latent attention (shared by all heads in keys).
        index_heads: heads of the indexer that chooses positions in sparse attention; 0 without it.
        d_index: width of such a head.
        index_positions: positions that it chooses for a token.
    """

    n_heads: Number
    n_kv_heads: Number
    d_head: Number
    d_value: Number = 0
    kv_matrices: Number = 2
    qkv_bias: Number = False
    output_bias: Number = False
    qk_norm: Number = 0
    sinks: Number = False
    d_gate: Number = 0
    relative_buckets: Number = 0
    window: Number = 0
    n_window_layers: Number = 0
    chunked_window: Number = False
    q_rank: Number = 0
    kv_rank: Number = 0
    d_rope: Number = 0
    index_heads: Number = 0
    d_index: Number = 0
    index_positions: Number = 0


def value_width(shape: Attention) -> Number:
    """Width of a value head."""
    return either(shape.d_value, shape.d_head)


def kv_values(shape: Attention) -> Number:
    """Keys and values that a token of one layer has: k_v * (d + d_value)."""
    return shape.n_kv_heads * (shape.d_head + value_width(shape))


def attention_weights(shape: Attention) -> Number:
    """Weights of the projections of one attention layer.

    Plain or grouped-query: M*h*d (query) + M*k_v*(d + d_value) (key, value) + h*d_value*M (output).
    Latent (DeepSeek-V2, arXiv:2405.04434): M*q_r + q_r*h*(d + d_rope) (or M*h*(d + d_rope) when
    the query is not compressed) + M*(kv_r + d_rope) + kv_r*h*(d + d_value) + h*d_value*M. An
    output gate adds M*d_gate, and an indexer (DeepSeek-V3.2) q_r*h_i*d_i + M*d_i + M*h_i.
    GLaM 64B: 4 * 8192 * 128 * 128 = 5.37e8.

    >>> from energy.facts import catalog
    >>> attention_weights(catalog.model("gpt3-175b").shape) == 4 * 12_288**2
    True
    """
    s, v = shape, value_width(shape)
    output = output_weights(s)
    keys = np.minimum(s.kv_matrices, 1) * s.n_kv_heads * s.d_head
    values = np.maximum(np.asarray(s.kv_matrices) - 1, 0) * s.n_kv_heads * v
    direct = s.d_model * (s.n_heads * s.d_head + keys + values) + output
    queries = s.n_heads * (s.d_head + s.d_rope)
    query = np.where(
        np.asarray(s.q_rank) > 0, s.q_rank * (s.d_model + queries), s.d_model * queries
    )
    compressed = s.d_model * (s.kv_rank + s.d_rope) + s.kv_rank * s.n_heads * (s.d_head + v)
    latent = query + compressed + output
    main = np.where(np.asarray(s.kv_rank) > 0, latent, direct)
    return plain(main + s.d_model * np.asarray(s.d_gate) + index_weights(s))


def up_weights(shape: Attention) -> Number:
    """Weights of latent attention that lead from its latents to queries, keys and values.

    q_r*h*(d + d_rope) + kv_r*h*(d + d_value); 0 of plain attention. DeepSeek-V3:
    1536*128*192 + 512*128*256 = 5.45e7 of the 1.87e8 of a layer.
    """
    s = shape
    queries = s.q_rank * s.n_heads * (s.d_head + s.d_rope)
    keys = s.kv_rank * s.n_heads * (s.d_head + np.asarray(value_width(s)))
    return plain(np.where(np.asarray(s.kv_rank) > 0, queries + keys, 0))


def output_weights(shape: Attention) -> Number:
    """Weights of the last product of an attention layer: h * d_value * M."""
    return shape.n_heads * value_width(shape) * shape.d_model


PARTS_OF_PROJECTIONS: dict[str, Callable[[Attention], Number]] = {
    "up_projections": up_weights,
    "output_projection": output_weights,
}
"""Modules of attention's projections that recomputation may name, and the weights of each."""


def index_weights(shape: Attention) -> Number:
    """Weights of the indexer of one sparse layer: its queries, its key, and a weight per head.

    Its queries come from the compressed query where there is one. DeepSeek-V3.2:
    1536*64*128 + 7168*128 + 7168*64 = 1.40e7.
    """
    s = shape
    rows = either(s.q_rank, s.d_model)
    queries = np.asarray(rows) * s.index_heads * s.d_index
    indexed = np.where(np.asarray(s.index_heads) > 0, 1, 0)
    return plain(queries + indexed * s.d_model * (s.d_index + np.asarray(s.index_heads)))


def attention_biases(shape: Attention) -> Number:
    """Biases and sinks of one attention layer.

    gpt-oss: 4096 + 2*512 of queries, keys and values, 2880 of the output, 64 sinks.
    """
    s = shape
    keys = np.minimum(s.kv_matrices, 1) * s.n_kv_heads * s.d_head
    values = np.maximum(np.asarray(s.kv_matrices) - 1, 0) * s.n_kv_heads * value_width(s)
    direct = s.n_heads * s.d_head + keys + values + s.d_gate
    latent = s.q_rank + s.kv_rank + s.d_rope
    projections = np.where(np.asarray(s.kv_rank) > 0, latent, direct)
    biases = projections * s.qkv_bias + np.asarray(s.d_model) * s.output_bias
    return plain(biases + np.asarray(s.n_heads) * s.sinks)


def attention_norms(shape: Attention) -> Number:
    """Learned values of the norms inside one attention layer: of queries, keys and latents."""
    s = shape
    latents = np.where(np.asarray(s.kv_rank) > 0, s.q_rank + s.kv_rank, 0)
    index = np.where(np.asarray(s.index_heads) > 0, 2 * np.asarray(s.d_index), 0)
    return plain(latents + np.asarray(s.qk_norm) + index)


def mean_context(shape: Attention, convention: Convention) -> Number:
    """Positions that a token attends to, averaged over the sequence and the attention layers.

    full: S. causal: S/2. A window of w tokens keeps w - w^2/(2S) positions of a causal sequence
    (w when all positions are counted), which is S/2 at w = S; a chunk of w tokens keeps w/2. An
    indexer's choice of positions keeps as many as a window of that size.
    gpt-oss: S 4096, w 128 in every other layer: causal 0.5*(2048 + 126) = 1087.
    """
    s = np.asarray(shape.seq_len, dtype=float)
    chosen = either(shape.index_positions, s)
    window = either(shape.window, s)
    share = np.asarray(shape.n_window_layers) / np.maximum(attention_layers(shape), 1)
    windowed = _kept(window, s, convention)
    if convention == "causal":
        chunk = np.minimum(window, s) / 2
        windowed = plain(np.where(np.asarray(shape.chunked_window, bool), chunk, windowed))
    return plain((1 - share) * _kept(chosen, s, convention) + share * np.asarray(windowed))


def _kept(window: Number, s: np.ndarray, convention: Convention) -> Number:
    """Positions of a window of a sequence that count."""
    w = np.minimum(window, s)
    if convention == "full":
        return plain(w)
    return plain(np.where(w < s, w - w**2 / (2 * s), s / 2))


def score_flop(shape: Attention, convention: Convention) -> Number:
    """Forward FLOP per token of scores and weighted values of all attention layers.

    2 * positions * h * (d + d_rope + d_value): keys of latent attention have width d + d_rope.

    >>> from energy.facts import catalog
    >>> glam = catalog.model("glam-64b-64e").shape
    >>> [score_flop(glam, counted) for counted in ("full", "causal")]
    [4294967296, 2147483648]
    """
    s = shape
    widths = s.d_head + s.d_rope + value_width(s)
    return plain(2 * attention_layers(s) * mean_context(s, convention) * s.n_heads * widths)


def index_flop(shape: Attention, convention: Convention) -> Number:
    """Forward FLOP per token with which the indexers score all positions.

    2 * S * h_i * (d_i + 1): a product for each head, and the weighted sum over heads.
    """
    s, positions = shape, np.asarray(shape.seq_len, dtype=float)
    if convention == "causal":
        positions = positions / 2
    return plain(2 * attention_layers(s) * positions * s.index_heads * (np.asarray(s.d_index) + 1))
