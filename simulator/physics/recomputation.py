"""What the backward pass computes again: nothing, whole layers, or named modules of each layer.

A module is what a framework recomputes by its name, as Megatron-Core's `recompute-modules`:

    norms             layernorm: results of norms
    activations       moe_act: results of activations, of experts too
    attention         core_attn: scores and weighted values
    up_projections    mla_up_proj: latent attention's queries, keys and values, from their latents
    mlp               mlp: dense feed-forward networks
    experts           moe: mixtures with their router, messages and shared experts
    shared_experts    shared_experts
    output_projection attention's last product, MaxText's out_proj
    second_products   every second product of attention and dense networks, which torchtitan's
                      selective recomputation by operation does not keep: keys and output of
                      attention, and one of the three of a gated network

A plan names them with commas between: "norms,mlp".
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from energy.shape import Number, plain
from simulator.physics.checks import Choice, require

MODES = ("none", "selective", "full")
"""Words that stand alone; "full" is all modules, and what is between them."""

MODULES = (
    "norms",
    "activations",
    "attention",
    "up_projections",
    "mlp",
    "experts",
    "shared_experts",
    "output_projection",
    "second_products",
)

FUSED = ("norms", "activations")
"""What "selective" stands for where attention is fused; else it is attention's scores."""


def require_modules(words: Choice) -> None:
    """Check that recomputation is a mode, or modules with commas between.

    Raises:
        InputError: it is not.
    """
    distinct = np.unique(np.asarray(words))
    known = [word in MODES or set(word.split(",")) <= set(MODULES) for word in distinct.tolist()]
    listed = f"one of {', '.join(MODES)}, or modules such as norms,mlp of {', '.join(MODULES)}"
    require(known, "recompute", listed, words)


def recomputed(words: Choice, share: Number, flash: Any, module: str) -> Number:
    """Share of the layers in which a module is computed again.

    Args:
        words: modes or modules, as `require_modules` has them.
        share: of the layers that "full" recomputes.
        flash: whether attention is fused.
        module: one of `MODULES`.
    """
    modes = np.asarray(words)
    by_mode: Any = np.where(modes == "full", share, 0.0)
    if module in (*FUSED, "attention"):
        selective = np.asarray(flash, bool) == (module in FUSED)
        by_mode = np.where((modes == "selective") & selective, 1.0, by_mode)
    if not np.any(named := names_modules(words)):
        return plain(by_mode)
    # Of many plans few name modules: sorting the words of all would take most of a prediction.
    listing = [w for w in set(modes[named].tolist()) if module in w.split(",")]
    is_listed = [modes == word for word in listing]
    return plain(np.where(named, np.any(is_listed, axis=0) * 1.0, by_mode))


def names_modules(words: Choice) -> NDArray[np.bool_]:
    """Which words are modules rather than a mode."""
    modes = np.asarray(words)
    return np.asarray((modes != "none") & (modes != "full") & (modes != "selective"))
