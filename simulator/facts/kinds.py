"""The two kinds of model that fits and bands tell apart."""

from __future__ import annotations

from energy.shape import Shape

KINDS = ("dense", "moe")

MODELS = {"dense": "dense models", "moe": "mixtures"}
"""In words."""


def kind_of(shape: Shape) -> str:
    """Moe where some layers are a mixture of experts; else dense."""
    return "moe" if float(shape.n_moe_layers) > 0 else "dense"
