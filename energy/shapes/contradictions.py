"""Shapes that contradict themselves, refused with the name of the field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import numpy as np

from energy.errors import InputError
from energy.shapes.network import Networks
from energy.shapes.recurrence import Recurrence

AT_LEAST_1 = (
    "n_layers",
    "d_model",
    "n_heads",
    "n_kv_heads",
    "d_head",
    "vocab_size",
    "seq_len",
    "n_experts",
    "top_k",
)

WHOLE = (
    "n_layers",
    "n_moe_layers",
    "n_dense_beside_moe",
    "n_window_layers",
    "n_recurrent_layers",
    "n_network_layers",
    "n_mixer_layers",
    "n_heads",
    "n_kv_heads",
    "n_experts",
    "n_zero_experts",
    "n_shared_experts",
    "n_prediction_layers",
    "top_k",
    "vocab_size",
    "seq_len",
)
"""Counts of things, of which there is no part."""


def refuse(shape: Any) -> None:
    """Raise InputError at the first field that contradicts the others.

    Args:
        shape: an `energy.shape.Shape`.
    """
    values = vars(shape)
    for name in AT_LEAST_1:
        _require(name, values[name] >= 1, "at least 1", values[name])
    for name, value in values.items():
        if name not in ("others", "recurrence"):
            _require(name, value >= 0, "0 or more", value)
    for name in WHOLE:
        _require(name, values[name] % 1 == 0, "a whole number", values[name])
    _refuse_networks(shape)
    _refuse_mixers(shape)


def _refuse_networks(shape: Networks) -> None:
    """Experts need layers, and layers of experts a width."""
    s, mixtures = shape, shape.n_moe_layers
    _require("top_k", s.top_k <= s.n_experts + s.n_zero_experts, "at most n_experts", s.top_k)
    most = s.n_layers - s.n_mixer_layers
    _require("n_moe_layers", mixtures <= most, "at most n_layers", mixtures)
    _require(
        "n_moe_layers",
        (mixtures > 0) | (s.n_experts == 1),
        "the number of layers that have the experts",
        mixtures,
        "write n_moe_layers, or leave n_experts out of a dense model",
    )
    _require(
        "d_expert",
        (mixtures == 0) | (s.d_expert > 0),
        "the width of an expert where n_moe_layers is above 0",
        s.d_expert,
        "write d_expert, or n_moe_layers = 0 for a dense model",
    )
    beside = s.n_dense_beside_moe <= mixtures
    _require("n_dense_beside_moe", beside, "at most n_moe_layers", s.n_dense_beside_moe)


def _refuse_mixers(shape: Any) -> None:
    """Heads in whole groups, windows of a size, and recurrent layers of a kind."""
    s = shape
    divide = s.n_heads % s.n_kv_heads == 0
    _require("n_kv_heads", divide, f"a divisor of n_heads, {s.n_heads}", s.n_kv_heads)
    without = s.n_recurrent_layers + s.n_network_layers
    name = "n_recurrent_layers" if np.any(s.n_recurrent_layers) else "n_network_layers"
    _require(name, without <= s.n_layers, "at most n_layers", getattr(s, name))
    windows = s.n_window_layers
    attention = windows <= s.n_layers - without
    _require("n_window_layers", attention, "at most the layers with attention", windows)
    sized = (windows == 0) | (s.window > 0)
    _require("window", sized, "above 0 where n_window_layers is", s.window)
    kinds, recurrent = get_args(Recurrence), s.n_recurrent_layers
    _require("recurrence", s.recurrence in kinds, f"one of {', '.join(kinds)}", s.recurrence)
    if not np.any(recurrent):
        return
    named = s.recurrence != "none"
    where = "where n_recurrent_layers is above 0"
    _require("recurrence", named, f"one of {', '.join(kinds[1:])} {where}", s.recurrence)
    for name in ("state_heads", "d_state", "d_state_value"):
        value = getattr(s, name)
        _require(name, (recurrent == 0) | (value > 0), f"above 0 {where}", value)


def require_said(values: Mapping[str, Any]) -> None:
    """What a text must say, because neither choice is usual enough to be assumed.

    Raises:
        InputError: the dense network is gated, and nothing is said of the experts.
    """
    gated = values.get("ffn_matrices") == 3
    if gated and values.get("n_moe_layers") and "expert_matrices" not in values:
        raise InputError(
            "expected expert_matrices where ffn_matrices is 3 and there are experts",
            "nothing",
            "write expert_matrices = 3 for gated experts, as in most models; 2 for plain ones",
        )


def _require(name: str, valid: Any, expectation: str, value: Any, fix: str = "") -> None:
    # Most shapes are of plain numbers, and searches make thousands of them.
    if not (valid if isinstance(valid, bool) else np.all(valid)):
        raise InputError(f"expected {name} to be {expectation}", f"{value}", fix)
