"""The mixture-of-experts layer: a router, experts, and a dispatcher between them.

`glam.moe.dispatch` brings tokens to experts. Legend: B sequences, S positions, M width.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from energy.shape import Shape
from glam.config import Dispatch
from glam.moe.dispatch import dispatcher
from glam.moe.experts import Experts
from glam.moe.router import Router, Routing


class MixtureOfExperts(nn.Module):
    """Router and experts in the place of a feed-forward network."""

    def __init__(self, shape: Shape, dispatch: Dispatch | None = None) -> None:
        super().__init__()
        dispatch = dispatch or Dispatch()
        grouped = dispatch.group_tokens if dispatch.kind != "dropless" else 0
        self.router, self.experts = Router(shape, grouped), Experts(shape)
        self.dispatch = dispatcher(dispatch)

    def forward(self, x: Tensor, draw: torch.Generator | None = None) -> tuple[Tensor, Routing]:
        """The weighted sum of each token's experts, for x (B, S, M).

        `draw` is the chance of a training step, for dispatchers that take one.
        """
        tokens = x.reshape(-1, x.shape[-1])
        routing = self.router(tokens)
        if torch.is_autocast_enabled(x.device.type):
            tokens = tokens.to(torch.get_autocast_dtype(x.device.type))
        sent = self.dispatch(tokens, routing, self.experts, draw)
        routing = replace(routing, dropped=sent.dropped, left_out=sent.left_out)
        return sent.mixed.view(x.shape).to(x.dtype), routing
