"""The mixture-of-experts layer: router, dispatcher and experts.

Legend: B sequences, S positions, M model width.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from energy.shape import Shape
from glam.architecture import Architecture
from glam.config import Dispatch
from glam.family import default_architecture
from glam.feed_forward import FeedForward
from glam.moe.dispatch import build_dispatcher
from glam.moe.experts import Experts
from glam.moe.part import Part
from glam.moe.router import Router, Routing


class MixtureOfExperts(nn.Module):
    """Router, experts, and those that all tokens pass, in place of a feed-forward network.

    Args:
        shape: shape of the model.
        dispatch: how tokens are dispatched to their experts; dropless by default.
        architecture: how the model is built; by default as the family of its shape.
    """

    def __init__(
        self,
        shape: Shape,
        dispatch: Dispatch | None = None,
        architecture: Architecture | None = None,
    ) -> None:
        super().__init__()
        dispatch = dispatch or Dispatch()
        architecture = architecture or default_architecture(shape)
        self.router = Router(shape, dispatch, architecture)
        self.experts = Experts(shape, architecture.expert_activation)
        self.dispatch = build_dispatcher(dispatch)
        self.shared = _shared_experts(shape, architecture)

    def route_part(self, part: Part) -> None:
        """Route a part of each batch from now on."""
        self.router.part = part
        self.dispatch = build_dispatcher(self.router.dispatch, part)

    def forward(
        self,
        x: Tensor,
        generator: torch.Generator | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> tuple[Tensor, Routing]:
        """Return the weighted sum of each token's experts, and the routing.

        Args:
            x: input (B, S, M), float32.
            generator: random generator of a training step, for dispatchers that sample.
            dtype: format in which the experts compute.
        """
        tokens = x.reshape(-1, x.shape[-1])
        routing = self.router(tokens, generator)
        dispatched = self.dispatch(tokens.to(dtype), routing, self.experts, generator)
        routing = replace(
            routing,
            dropped=dispatched.dropped,
            second_expert_skipped=dispatched.second_expert_skipped,
            padding=dispatched.padding,
        )
        combined = dispatched.combined.view(x.shape)
        if self.shared is not None:
            combined = combined + self.shared(x.to(dtype))
        return combined, routing

    def infer(self, x: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return the weighted sum of each token's experts for x (B, S, M), without statistics.

        A single token on a CPU is computed by its own experts alone, without sorting.
        """
        if x.shape[:2] != (1, 1) or x.device.type != "cpu":
            mixed: Tensor = self(x, None, dtype)[0]
            return mixed
        token = x[0]
        _, weights, experts = self.router.choose(self.router.logits(token))
        own = self.experts.of_token(token.to(dtype), experts[0].tolist(), weights[0]).view_as(x)
        return own if self.shared is None else own + self.shared(x.to(dtype))


def _shared_experts(shape: Shape, architecture: Architecture) -> FeedForward | None:
    """The experts that every token passes, as one network; None without them."""
    width = int(shape.n_shared_experts) * int(shape.d_shared or shape.d_expert)
    if not width:
        return None
    return FeedForward(int(shape.d_model), width, architecture.expert_activation)
