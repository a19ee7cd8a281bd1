"""The layers that ours is held against: published ones, and what one would write by hand."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, one_hot

from energy.shape import Shape
from glam.config import Dispatch
from glam.moe.dispatch import Capacity, capacity, places
from glam.moe.layer import MixtureOfExperts

CAPACITY = Dispatch(kind="switch", capacity_factor=1.25, group_tokens=256)
"""Slots as GShard's, without chance, so that numbers can be held against ours."""

FEW_SLOTS = replace(CAPACITY, capacity_factor=0.625)
"""As many slots as st-moe-pytorch has by its defaults: 1.25 / E of the tokens."""


def ours(width: int, n_experts: int) -> MixtureOfExperts:
    """Our layer, dropless."""
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
    return _drawn(MixtureOfExperts(shape))


def with_capacity(layer: MixtureOfExperts, slots: Dispatch = CAPACITY) -> MixtureOfExperts:
    """Our layer of the same weights, with slots."""
    made = MixtureOfExperts.__new__(MixtureOfExperts)
    nn.Module.__init__(made)
    made.router, made.experts = layer.router, layer.experts
    made.dispatch = Capacity(slots)
    return made


def mixtral(width: int, n_experts: int) -> dict[str, nn.Module]:
    """Transformers' Mixtral block in both ways of computing its experts."""
    from transformers import MixtralConfig
    from transformers.models.mixtral.modeling_mixtral import MixtralSparseMoeBlock

    made = {}
    for way in ("grouped_mm", "eager"):
        config = MixtralConfig(
            hidden_size=width,
            intermediate_size=2 * width,
            num_local_experts=n_experts,
            num_experts_per_tok=2,
        )
        config._experts_implementation = way
        made[f"HF Mixtral, {way}"] = _drawn(MixtralSparseMoeBlock(config))
    return made


def st_moe(width: int, n_experts: int) -> dict[str, nn.Module]:
    """The layer of st-moe-pytorch, where it is installed (capacity 1.25, one-hot)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from st_moe_pytorch import MoE
    except ImportError:
        return {}
    # int(M * 3 * 2 / 3) = 2 M, gated.
    return {"st-moe-pytorch": MoE(dim=width, num_experts=n_experts, expert_hidden_mult=3)}


def dense(width: int) -> nn.Module:
    """A plain network of as many FLOP as two of the experts."""
    return nn.Sequential(
        nn.Linear(width, 6 * width, bias=False), nn.GELU(), nn.Linear(6 * width, width, bias=False)
    )


class Loop(nn.Module):
    """Expert by expert, each on the tokens that chose it; weights unbound once."""

    def __init__(self, layer: MixtureOfExperts) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """Mix the experts of x (B, S, M)."""
        tokens = x.reshape(-1, x.shape[-1])
        routing = self.layer.router(tokens)
        mixed = torch.zeros_like(tokens)
        networks = zip(
            self.layer.experts.up.unbind(), self.layer.experts.down.unbind(), strict=True
        )
        for e, (up, down) in enumerate(networks):
            token, choice = (routing.experts == e).nonzero(as_tuple=True)
            found = gelu(tokens[token] @ up.T) @ down.T
            mixed = mixed.index_add(0, token, found * routing.weights[token, choice, None])
        return mixed.view(x.shape)


class OneHot(nn.Module):
    """GShard as its paper writes it: one-hot tensors (G, S, E, C) send tokens and bring them back.

    Slots of `CAPACITY`; a group is a sequence.
    """

    def __init__(self, layer: MixtureOfExperts) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """Mix the experts of x (G, S, M)."""
        tokens = x.reshape(-1, x.shape[-1])
        routing, n_experts = self.layer.router(tokens), len(self.layer.experts.up)
        group = x.shape[1]
        room = capacity(CAPACITY.capacity_factor, 2, group, n_experts)
        sent = torch.ones_like(routing.experts, dtype=torch.bool)
        place = places(routing.experts, sent, group, n_experts)
        # A place beyond the last slot is a row of zeros: the token is dropped.
        slot = one_hot(place.clamp(max=room), room + 1)[..., :room].to(x.dtype)
        combine = torch.einsum(
            "tk,tke,tkc->tec",
            routing.weights,
            one_hot(routing.experts, n_experts).to(x.dtype),
            slot,
        )
        combine = combine.view(len(x), group, n_experts, room)
        send = (combine > 0).to(x.dtype)
        sent_rows = torch.einsum("gsec,gsm->egcm", send, x)
        up, down = self.layer.experts.up, self.layer.experts.down
        hidden = gelu(torch.einsum("egcm,ehm->egch", sent_rows, up))
        found = torch.einsum("egch,emh->egcm", hidden, down)
        return torch.einsum("gsec,egcm->gsm", combine, found)


def _drawn(layer: Any) -> Any:
    """Weights of variance 1/fan-in."""
    for weight in layer.parameters():
        nn.init.normal_(weight, std=1 / math.sqrt(weight.shape[-1]))
    return layer
