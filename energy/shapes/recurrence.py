"""Recurrent layers: linear attention and state-space models, their fields, weights and FLOP.

Symbols: k key heads of width d_k, h state heads of width d_v (the value of a head), r rank of a
low-rank projection, c width of the convolution before the recurrence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from energy.shapes.stack import Number, Stack, plain

Recurrence = Literal["none", "gated-delta", "kimi-delta", "lightning", "mamba", "mamba2"]
"""gated-delta: Gated DeltaNet (arXiv:2412.06464). kimi-delta: Kimi Delta Attention
(arXiv:2510.26692). lightning: Lightning Attention (arXiv:2401.04658). mamba: selective state
spaces (arXiv:2312.00752). mamba2: state-space duality (arXiv:2405.21060)."""

CHUNK = 64
"""Tokens that a chunked recurrence computes at a time (flash-linear-attention)."""


@dataclass(frozen=True, kw_only=True)
class Recurrent(Stack):
    """The recurrence of a hybrid decoder; n_recurrent_layers say in how many layers.

    Attributes:
        recurrence: its kind.
        state_heads: h, heads of the state; the inner width of mamba is h * d_value_head.
        state_key_heads: k, heads (or groups) of keys and queries; 0 for h.
        d_state: d_k, width of a key; the state size of a state-space model.
        d_state_value: d_v, width of a value head.
        conv_width: c, positions that the convolution spans; 0 without one.
        state_rank: r, rank of the low-rank gates (kimi-delta) or of the time step (mamba).
        conv_bias: whether the convolution has a bias.
        state_bias: whether the projections of the layer have biases.
        state_norms: learned values of norms of the time step, input and output maps (mamba).
    """

    recurrence: Recurrence = "none"
    state_heads: Number = 0
    state_key_heads: Number = 0
    d_state: Number = 0
    d_state_value: Number = 0
    conv_width: Number = 0
    state_rank: Number = 0
    conv_bias: Number = False
    state_bias: Number = False
    state_norms: Number = 0


def key_width(shape: Recurrent) -> Number:
    """Keys of all heads: k * d_k."""
    heads = np.where(
        np.asarray(shape.state_key_heads) > 0, shape.state_key_heads, shape.state_heads
    )
    return plain(heads * np.asarray(shape.d_state))


def inner_width(shape: Recurrent) -> Number:
    """Values of all heads: h * d_v."""
    return plain(np.asarray(shape.state_heads) * shape.d_state_value)


def input_columns(shape: Recurrent) -> Number:
    """Columns of the projections of the layer's input, by the kind.

    gated-delta: query, key, value, gate, and two scalars per head; kimi-delta: query, key, value,
    a scalar per head, two ranks; lightning: query, key, value, gate; mamba: value and gate; mamba2:
    value and gate, input and output map of each group, a time step per head.
    """
    keys, inner, heads = key_width(shape), inner_width(shape), shape.state_heads
    columns: dict[str, Number] = {
        "none": 0,
        "gated-delta": 2 * keys + 2 * inner + 2 * heads,
        "kimi-delta": 2 * keys + inner + heads + 2 * shape.state_rank,
        "lightning": 2 * keys + 2 * inner,
        "mamba": 2 * inner,
        "mamba2": 2 * inner + 2 * keys + heads,
    }
    return columns[shape.recurrence]


def recurrent_weights(shape: Recurrent) -> Number:
    """Weights of the matrices of one recurrent layer, without its convolution.

    M * columns + h*d_v * M, and the low-rank matrices: r * (k*d_k + h*d_v) of kimi-delta,
    h*d_v * (2 r + 2 d_k) of mamba. Qwen3-Next: 2048 * 12,352 + 4096 * 2048 = 3.37e7.
    """
    inner = inner_width(shape)
    low_rank: dict[str, Number] = {
        "kimi-delta": shape.state_rank * (key_width(shape) + inner),
        "mamba": inner * (2 * shape.state_rank + 2 * shape.d_state),
    }
    return plain(
        np.asarray(shape.d_model) * (input_columns(shape) + np.asarray(inner))
        + low_rank.get(shape.recurrence, 0)
    )


def convolved(shape: Recurrent) -> Number:
    """Channels that pass through the convolution."""
    keys, inner = key_width(shape), inner_width(shape)
    channels: dict[str, Number] = {"none": 0, "lightning": 0, "mamba": inner}
    return channels.get(shape.recurrence, 2 * keys + inner)


def recurrent_values(shape: Recurrent) -> Number:
    """Other learned values of one recurrent layer: convolution, decays, time steps, norms, biases.

    Qwen3-Next: 8192 * 4 + 2 * 32 + 128 = 32,960.
    """
    s, inner, heads = shape, inner_width(shape), shape.state_heads
    own: dict[str, Number] = {
        "none": 0,
        "gated-delta": 2 * heads + s.d_state_value,
        "kimi-delta": key_width(s) + heads + s.d_state_value,
        "lightning": inner,
        "mamba": inner * s.d_state + 2 * inner + s.state_norms,
        "mamba2": 3 * heads + inner,
    }
    convolution = np.asarray(convolved(s)) * (s.conv_width + np.asarray(s.conv_bias, int))
    biases = np.asarray(s.state_bias, int) * (input_columns(s) + s.d_model)
    return plain(own[s.recurrence] + convolution + biases)


def scan_flop(shape: Recurrent) -> Number:
    """Forward FLOP per token of one layer's convolution and recurrence, one position at a time.

    2 * c of each channel; 4 * h * d_k * d_v to add to the state and to read it, and 2 more where
    the delta rule reads it before it writes. Qwen3-Next: 2*4*8192 + 6*32*128*128 = 3.2e6.
    """
    state = np.asarray(shape.d_state) * inner_width(shape)
    reads = 6 if "delta" in shape.recurrence else 4
    return plain(2 * np.asarray(shape.conv_width) * convolved(shape) + reads * state)


def chunked_scan_flop(shape: Recurrent) -> Number:
    """As `scan_flop`, executed in chunks of C tokens as matrix products.

    Within a chunk, C/2 positions on average: 2 * C/2 * h * (d_k + d_v), twice that with the delta
    rule; mamba is scanned one position at a time.
    """
    if shape.recurrence in ("none", "mamba"):
        return scan_flop(shape)
    within = (
        CHUNK * np.asarray(shape.state_heads) * (shape.d_state + np.asarray(shape.d_state_value))
    )
    return plain(scan_flop(shape) + within * (2 if "delta" in shape.recurrence else 1))
