"""Feed-forward networks: dense layers and mixtures of experts, their fields and weights.

Symbols: H width of the dense network, E experts, K experts per token, H_e width of an expert, n_m
matrices of a network.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from energy.shapes.stack import Number, Stack, either, plain


@dataclass(frozen=True, kw_only=True)
class Networks(Stack):
    """The feed-forward networks of a decoder.

    Attributes:
        d_ff: H, width of the dense feed-forward network.
        ffn_matrices: 2 for a plain feed-forward network, 3 for a gated one.
        ffn_bias: whether dense networks and shared experts have biases.
        n_moe_layers: layers whose feed-forward network is a mixture of experts; 0 for dense.
        n_dense_beside_moe: mixture layers that have a dense network too.
        n_experts: E, routed experts in such a layer.
        n_zero_experts: experts beside them that compute nothing; the router chooses among all.
        top_k: K, experts that a token is routed to.
        d_expert: H_e, width of one expert.
        expert_matrices: 2 or 3, as in `ffn_matrices`.
        expert_bias: whether routed experts have biases.
        d_latent_expert: width that tokens are projected to for the routed experts; 0 for M.
        n_shared_experts: experts that every token passes through.
        d_shared: width of one of those; 0 for H_e.
        shared_gate: whether a gate weights the shared experts.
        router_bias: whether the router has a learned value for each expert beside its matrix.
        moe_norms: norms that a mixture layer has beside the usual ones.
    """

    d_ff: Number
    ffn_matrices: Number
    ffn_bias: Number = False
    n_moe_layers: Number = 0
    n_dense_beside_moe: Number = 0
    n_experts: Number = 1
    n_zero_experts: Number = 0
    top_k: Number = 1
    d_expert: Number = 0
    expert_matrices: Number = 2
    expert_bias: Number = False
    d_latent_expert: Number = 0
    n_shared_experts: Number = 0
    d_shared: Number = 0
    shared_gate: Number = False
    router_bias: Number = False
    moe_norms: Number = 0


def dense_layers(shape: Networks) -> Number:
    """Layers with a dense network."""
    return shape.n_layers - shape.n_mixer_layers - shape.n_moe_layers + shape.n_dense_beside_moe


def computed_experts(shape: Networks) -> Number:
    """Routed experts that a token really passes through: K, less those that compute nothing.

    All experts are taken as equally likely. LongCat-Flash: 12 * 512 / (512 + 256) = 8.
    """
    s = shape
    share = np.asarray(s.n_experts) / (np.asarray(s.n_experts) + s.n_zero_experts)
    return plain(np.where(np.asarray(s.n_zero_experts) > 0, s.top_k * share, s.top_k))


def expert_weights(shape: Networks) -> Number:
    """Weights of one routed expert: n_m * M * H_e, or with the latent width in place of M.

    >>> from energy.facts import catalog
    >>> glam = catalog.model("glam-64b-64e").shape
    >>> expert_weights(glam)
    536870912
    """
    return shape.expert_matrices * either(shape.d_latent_expert, shape.d_model) * shape.d_expert


def shared_weights(shape: Networks) -> Number:
    """Weights of the shared experts of one layer."""
    width = either(shape.d_shared, shape.d_expert)
    return shape.n_shared_experts * (shape.expert_matrices * shape.d_model * width)


def router_weights(shape: Networks) -> Number:
    """Weights of the router of one layer, of the way to a latent width, and of the shared gate.

    M * (E + zero experts), none for a single expert; 2 * M * latent; M of the gate.

    >>> from energy.facts import catalog
    >>> glam = catalog.model("glam-64b-64e").shape
    >>> router_weights(glam)
    524288
    """
    s = shape
    choices = np.asarray(s.n_experts) + s.n_zero_experts
    router = np.where(choices > 1, s.d_model * choices, 0)
    latent = 2 * np.asarray(s.d_model) * s.d_latent_expert
    return plain(router + latent + np.asarray(s.d_model) * s.shared_gate)


def dense_biases(shape: Networks) -> Number:
    """Biases of one dense network: (n_m - 1) * H + M."""
    s = shape
    return plain(((s.ffn_matrices - 1) * s.d_ff + s.d_model) * np.asarray(s.ffn_bias, int))


def expert_biases(shape: Networks) -> Number:
    """Biases of one routed expert: (n_m - 1) * H_e + M."""
    s = shape
    width = (s.expert_matrices - 1) * s.d_expert + either(s.d_latent_expert, s.d_model)
    return plain(width * np.asarray(s.expert_bias, int))


def shared_biases(shape: Networks) -> Number:
    """Biases of the shared experts of one layer, which are one network; and of the latent way."""
    s = shape
    width = either(s.d_shared, s.d_expert)
    shared = (s.expert_matrices - 1) * s.n_shared_experts * width + s.d_model
    latent = np.where(np.asarray(s.d_latent_expert) > 0, s.d_latent_expert + s.d_model, 0)
    some = np.where(np.asarray(s.n_shared_experts) > 0, shared, 0)
    return plain((some + latent) * np.asarray(s.ffn_bias, int))
