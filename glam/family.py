"""The model families that this trainer builds: GLaM and GPT."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

from energy.errors import InputError
from energy.shape import Shape
from glam.architecture import ARCHITECTURES, GLAM, GPT, PLAIN, Architecture
from glam.recipe import require

FREE = {
    "top_k",
    "n_experts",
    "n_moe_layers",
    "d_expert",
    "expert_matrices",
    "norm_vectors",
    "position_rows",
    "relative_buckets",
    "window",
    "n_shared_experts",
    "d_shared",
}
"""Optional fields of a shape that the trainer builds with other values than the usual ones."""

SHARED = {
    item.name: item.default
    for item in fields(Shape)
    if item.default is not MISSING and item.name not in FREE
}
"""Fields of a shape that have the same value in both families."""


GLAM_SHAPE = {"ffn_matrices": 3, "expert_matrices": 2, "norm_vectors": 1}
"""GLaM (arXiv:2112.06905): relative positions, gated dense layers, plain experts."""


GPT_SHAPE = {"ffn_matrices": 2, "norm_vectors": 2, "relative_buckets": 0, "n_moe_layers": 0}
"""GPT-3 (arXiv:2005.14165): learned positions, plain layers, norms with a shift, always dense."""


GROUPED_ROW = {"d_model": 8, "d_expert": 4}
"""Rows of a grouped matrix product are multiples of 16 bytes: 4 values in float32, 8 in bfloat16
(there `glam.moe.experts.Experts` pads expert widths that need it)."""


def require_family(shape: Shape) -> None:
    """Check that the trainer builds this shape exactly as `energy.shape` counts it.

    Both families have one embedding, and as many key-value heads as query heads. A shape with
    learned positions is a GPT; a GLaM has a mixture of experts in every n-th layer or in none.

    Raises:
        InputError: a field of the shape does not fit its family.
    """
    name, family = (
        ("GPT (position_rows above 0)", GPT_SHAPE)
        if shape.position_rows
        else ("GLaM (position_rows 0)", GLAM_SHAPE)
    )
    for field, value in {"n_kv_heads": shape.n_heads, **SHARED, **family}.items():
        _require(shape, getattr(shape, field) == value, field, f"{value} in a {name}")
    _require(shape, shape.d_ff >= 1, "d_ff", "at least 1")
    if shape.position_rows:
        _require(
            shape,
            shape.position_rows >= shape.seq_len,
            "position_rows",
            f"at least seq_len, {shape.seq_len}, in a {name}",
        )
        return
    _require(shape, shape.relative_buckets >= 2, "relative_buckets", f"at least 2 in a {name}")
    if not shape.n_moe_layers:
        return
    _require(
        shape,
        shape.n_layers % shape.n_moe_layers == 0,
        "n_moe_layers",
        f"a divisor of {shape.n_layers} layers",
    )
    _require(shape, shape.n_experts > 1, "n_experts", "at least 2 in a MoE layer")
    _require(shape, shape.d_expert >= 1, "d_expert", "at least 1 in a MoE layer")
    for field, row in GROUPED_ROW.items():
        _require(
            shape,
            getattr(shape, field) % row == 0,
            field,
            f"a multiple of {row} in a MoE layer (grouped products need rows of 16 bytes)",
        )


def default_architecture(shape: Shape) -> Architecture:
    """Return the architecture of the family that a shape belongs to, glam or gpt."""
    return GPT if shape.position_rows else GLAM


def former_architecture(shape: Shape) -> Architecture:
    """Return the architecture of every model of this shape before it could be chosen."""
    return GPT if shape.position_rows else PLAIN


def family_of(architecture: Architecture) -> str:
    """Return the name of the family with this architecture, or own where a field differs."""
    return next((name for name, known in ARCHITECTURES.items() if known == architecture), "own")


def architecture_of_family(shape: Shape, family: str) -> Architecture:
    """Return the architecture of a family, glam or plain of a GLaM, gpt of a GPT.

    Raises:
        InputError: there is no such family, or a shape of the other kind.
    """
    known = ("gpt",) if shape.position_rows else ("glam", "plain")
    kind = "with" if shape.position_rows else "without"
    require(family in known, "family", f"{' or '.join(known)} {kind} position_rows", family)
    return ARCHITECTURES[family]


def builds(shape: Shape) -> bool:
    """Return whether the trainer builds this shape."""
    try:
        require_family(shape)
    except InputError:
        return False
    return True


def _require(shape: Shape, valid: Any, field: str, expectation: str) -> None:
    require(valid, field, expectation, getattr(shape, field))
