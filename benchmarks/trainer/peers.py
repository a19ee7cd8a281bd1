"""The layers that ours is compared with: published ones, and what one would write by hand."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, one_hot

from benchmarks.trainer.layer import HALF_OURS, HALF_WEIGHTS
from energy.shape import Shape
from glam.architecture import PLAIN
from glam.config import Dispatch
from glam.moe.capacity import expert_capacity
from glam.moe.dispatch import CapacityDispatcher, queue_positions
from glam.moe.layer import MixtureOfExperts
from glam.precision import forget_all_copies

Layer = TypeVar("Layer", bound=nn.Module)

CAPACITY = Dispatch(kind="switch", capacity_factor=1.25, group_tokens=256)
"""Capacity as in GShard, without random routing, so that outputs can be compared with ours."""

ST_MOE_CAPACITY = replace(CAPACITY, capacity_factor=0.625)
"""The capacity of st-moe-pytorch by its defaults: 1.25 / E of the tokens for each expert."""


def ours(width: int, n_experts: int) -> MixtureOfExperts:
    """Return our layer, dropless; its experts have an exact GELU, as those of the others."""
    shape = Shape(
        n_layers=1,
        d_model=width,
        n_heads=1,
        n_kv_heads=1,
        d_head=width,
        d_ff=1,
        ffn_matrices=3,
        vocab_size=1,
        seq_len=1,
        n_moe_layers=1,
        n_experts=n_experts,
        top_k=2,
        d_expert=3 * width,
    )
    return _initialized(MixtureOfExperts(shape, architecture=PLAIN))


def with_capacity(layer: MixtureOfExperts, dispatch: Dispatch = CAPACITY) -> MixtureOfExperts:
    """Return our layer with the same weights and a capacity of its experts."""
    limited = MixtureOfExperts.__new__(MixtureOfExperts)
    nn.Module.__init__(limited)
    limited.router, limited.experts = layer.router, layer.experts
    limited.dispatch = CapacityDispatcher(dispatch)
    return limited


class InTraining(nn.Module):
    """Our layer as in a step of training, where its experts have a capacity.

    Args:
        layer: the layer.
        dtype: format of its experts. In another than float32, weights are converted in each turn,
            as after an update.
    """

    def __init__(self, layer: MixtureOfExperts, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.layer, self.dtype = layer, dtype
        self.generator = torch.Generator().manual_seed(0)

    def forward(self, x: Tensor) -> Tensor:
        """Return the weighted sum of each token's experts (B, S, M)."""
        forget_all_copies()
        mixed: Tensor = self.layer(x, self.generator, self.dtype)[0]
        return mixed


class Autocast(nn.Module):
    """A published layer whose products are in bfloat16 and whose weights are float32."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Any:
        """Return what the layer returns."""
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return self.layer(x)


def in_bfloat16(name: str, width: int, n_experts: int) -> nn.Module:
    """Return a layer that computes in bfloat16.

    Args:
        name: one of `benchmarks.trainer.layer.HALF_OURS`, `HALF_WEIGHTS` or `HALF_PRODUCTS`.
        width: of the model.
        n_experts: experts of the layer.
    """
    if name in HALF_OURS:
        layer = ours(width, n_experts)
        if name != "ours":
            layer = with_capacity(layer, ST_MOE_CAPACITY)
        return InTraining(layer, torch.bfloat16)
    published = mixtral(width, n_experts) | st_moe(width, n_experts)
    if name in HALF_WEIGHTS:
        return published[name.removesuffix(", bfloat16 weights")].to(torch.bfloat16)
    return Autocast(published[name])


def mixtral(width: int, n_experts: int) -> dict[str, nn.Module]:
    """Return transformers' Mixtral block, with both implementations of its experts."""
    from transformers import MixtralConfig
    from transformers.models.mixtral.modeling_mixtral import MixtralSparseMoeBlock

    blocks: dict[str, nn.Module] = {}
    for implementation in ("grouped_mm", "eager"):
        config = MixtralConfig(
            hidden_size=width,
            intermediate_size=2 * width,
            num_local_experts=n_experts,
            num_experts_per_tok=2,
        )
        config._experts_implementation = implementation
        blocks[f"HF Mixtral, {implementation}"] = _initialized(MixtralSparseMoeBlock(config))
    return blocks


def st_moe(width: int, n_experts: int) -> dict[str, nn.Module]:
    """Return the layer of st-moe-pytorch if it is installed (capacity factor 1.25, one-hot)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from st_moe_pytorch import MoE
    except ImportError:
        return {}
    # Gated experts of width int(M * 3 * 2 / 3) = 2 M.
    return {"st-moe-pytorch": MoE(dim=width, num_experts=n_experts, expert_hidden_mult=3)}


def dense(width: int) -> nn.Module:
    """Return a dense network with the FLOP of two experts."""
    return nn.Sequential(
        nn.Linear(width, 6 * width, bias=False), nn.GELU(), nn.Linear(6 * width, width, bias=False)
    )


class Loop(nn.Module):
    """Expert by expert, each on the tokens routed to it; weights are unbound once."""

    def __init__(self, layer: MixtureOfExperts) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """Return the mixture (B, S, M) of the experts for x (B, S, M)."""
        tokens = x.reshape(-1, x.shape[-1])
        routing = self.layer.router(tokens)
        mixed = torch.zeros_like(tokens)
        networks = zip(
            self.layer.experts.up.unbind(), self.layer.experts.down.unbind(), strict=True
        )
        for e, (up, down) in enumerate(networks):
            token, choice = (routing.experts == e).nonzero(as_tuple=True)
            output = gelu(tokens[token] @ up.T) @ down.T
            mixed = mixed.index_add(0, token, output * routing.weights[token, choice, None])
        return mixed.view(x.shape)


class OneHot(nn.Module):
    """GShard as in its paper: one-hot tensors (G, S, E, C) dispatch and combine the tokens.

    Capacity as in `CAPACITY`; a group is a sequence.
    """

    def __init__(self, layer: MixtureOfExperts) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """Return the mixture (G, S, M) of the experts for x (G, S, M)."""
        tokens = x.reshape(-1, x.shape[-1])
        routing, n_experts = self.layer.router(tokens), len(self.layer.experts.up)
        group = x.shape[1]
        slots = expert_capacity(CAPACITY.capacity_factor, 2, group, n_experts)
        kept = torch.ones_like(routing.experts, dtype=torch.bool)
        place = queue_positions(routing.experts, kept, group, n_experts)
        # A place beyond the last slot becomes a row of zeros: the token is dropped.
        slot = one_hot(place.clamp(max=slots), slots + 1)[..., :slots].to(x.dtype)
        combine = torch.einsum(
            "tk,tke,tkc->tec",
            routing.weights,
            one_hot(routing.experts, n_experts).to(x.dtype),
            slot,
        )
        combine = combine.view(len(x), group, n_experts, slots)
        dispatch = (combine > 0).to(x.dtype)
        dispatched = torch.einsum("gsec,gsm->egcm", dispatch, x)
        up, down = self.layer.experts.up, self.layer.experts.down
        hidden = gelu(torch.einsum("egcm,ehm->egch", dispatched, up))
        output = torch.einsum("egch,emh->egcm", hidden, down)
        return torch.einsum("gsec,egcm->gsm", combine, output)


def _initialized(layer: Layer) -> Layer:
    """Draw all weights with variance 1 / fan-in."""
    for weight in layer.parameters():
        nn.init.normal_(weight, std=1 / math.sqrt(weight.shape[-1]))
    return layer
