"""Which shapes this trainer builds: those of the GLaM family, and none that it would miscount."""

from __future__ import annotations

from energy.shape import Shape
from glam.recipe import require

GROUPED_ROW = {"d_model": 8, "d_expert": 4}
"""Rows of a grouped product are a multiple of 16 bytes: 4 values in float32, 8 in bfloat16, in
which experts are padded where they must be (`glam.moe.Experts`)."""


def require_glam(shape: Shape) -> None:
    """Refuse a shape that this trainer would not build exactly as it is counted.

    The family: heads of equal number for queries, keys and values, relative position bias, scale-
    only norms, gated dense layers, plain experts in every layer or in every n-th, tied embedding.
    """
    family = {"n_kv_heads": shape.n_heads, "ffn_matrices": 3, "expert_matrices": 2,
              "n_shared_experts": 0, "tied_embedding": 1, "position_rows": 0, "norm_vectors": 1,
              "n_window_layers": 0, "q_rank": 0, "kv_rank": 0, "d_rope": 0}  # fmt: skip
    for name, value in family.items():
        require(getattr(shape, name) == value, name, f"{value} in a GLaM", getattr(shape, name))
    require(shape.relative_buckets >= 2, "relative_buckets", "at least 2 in a GLaM",
            shape.relative_buckets)  # fmt: skip
    require(shape.d_ff >= 1, "d_ff", "at least 1", shape.d_ff)
    require(not shape.n_moe_layers or shape.d_expert >= 1, "d_expert",
            "at least 1 in a MoE layer", shape.d_expert)  # fmt: skip
    for name, row in GROUPED_ROW.items():
        whole = not shape.n_moe_layers or getattr(shape, name) % row == 0
        require(whole, name, f"a multiple of {row} in a MoE layer (grouped products want "
                "rows of 16 bytes)", getattr(shape, name))  # fmt: skip
    require(
        not shape.n_moe_layers or shape.n_layers % shape.n_moe_layers == 0, "n_moe_layers",
        f"a divisor of {shape.n_layers} layers", shape.n_moe_layers,
    )  # fmt: skip
    require(not shape.n_moe_layers or shape.n_experts > 1, "n_experts",
            "at least 2 in a MoE layer", shape.n_experts)  # fmt: skip
