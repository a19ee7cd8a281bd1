"""The decoder: attention and feed-forward layers, every n-th a mixture of experts.

Pre-norm residual layers and one embedding for input and output. A GLaM has a gated GELU network
where it is dense and plain experts where it is not; a GPT, the dense baseline, has plain networks,
norms with a shift, and learned positions added to its input. `energy.shape.parameters` counts both
exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from energy.shape import Shape
from glam.config import Dispatch
from glam.model.attention import Attention
from glam.model.cross_entropy import ChunkedCrossEntropy
from glam.model.feed_forward import FeedForward, GatedFeedForward
from glam.model.norm import build_norm
from glam.moe.layer import MixtureOfExperts
from glam.moe.router import Routing
from glam.recipe import require

EMBEDDING_STD = 0.02
"""Spread of the first embedding (GPT-2). Larger, a tied output begins sure of the last token."""


STILL = ("bias", "scale", "shift")
"""How parameters are named that begin at 0 or 1 and that no optimizer decays."""


@dataclass(frozen=True)
class Output:
    """What one pass over a batch tells.

    Attributes:
        loss: mean cross-entropy in nats a token, a scalar.
        auxiliary_loss: mean load-balancing loss of the MoE layers, a scalar; 0 when dense.
        z_loss: mean router z-loss of the MoE layers, a scalar; 0 when dense.
        routings: of each MoE layer, in order.
    """

    loss: Tensor
    auxiliary_loss: Tensor
    z_loss: Tensor
    routings: list[Routing]


def merged(parts: list[Output]) -> Output:
    """What passes over equal parts of a batch tell of the whole: their means, detached."""
    if len(parts) == 1:
        return parts[0]
    routings = [
        replace(
            layers[0],
            experts=torch.cat([one.experts for one in layers]),
            weights=torch.cat([one.weights.detach() for one in layers]),
            **{
                name: torch.stack([getattr(one, name).detach() for one in layers]).mean(0)
                for name in ("auxiliary_loss", "z_loss", "load", "entropy", "dropped", "left_out")
            },
        )
        for layers in zip(*(part.routings for part in parts), strict=True)
    ]
    loss, balance, z_loss = (
        torch.stack([getattr(part, name).detach() for part in parts]).mean()
        for name in ("loss", "auxiliary_loss", "z_loss")
    )
    return Output(loss, balance, z_loss, routings)


class Layer(nn.Module):
    """Attention, then a feed-forward network or a mixture of experts, each on a residual."""

    def __init__(self, shape: Shape, *, moe: bool, dispatch: Dispatch | None = None) -> None:
        super().__init__()
        self.attention_norm, self.attention = build_norm(shape), Attention(shape)
        self.ffn_norm = build_norm(shape)
        dense = GatedFeedForward if shape.ffn_matrices == 3 else FeedForward
        self.ffn = (
            MixtureOfExperts(shape, dispatch) if moe else dense(int(shape.d_model), int(shape.d_ff))
        )

    def forward(
        self, x: Tensor, draw: torch.Generator | None = None
    ) -> tuple[Tensor, Routing | None]:
        """Map x (B, S, M) to the same size, with its routing where there is one."""
        x = x + self.attention(self.attention_norm(x))
        y = self.ffn_norm(x)
        if not isinstance(self.ffn, MixtureOfExperts):
            return x + self.ffn(y), None
        change, routing = self.ffn(y, draw)
        return x + change, routing


class Glam(nn.Module):
    """The language model of a shape.

    Args:
        shape: of a family that `glam.family` knows; layer i is a mixture of experts when i + 1 is
            a multiple of n_layers / n_moe_layers.
        seed: of the first weights; the same seed gives the same weights on every machine.
        dispatch: how tokens reach their experts; without one, no token is dropped.
    """

    def __init__(self, shape: Shape, seed: int = 0, dispatch: Dispatch | None = None) -> None:
        super().__init__()
        self.shape = shape
        every = int(shape.n_layers) // int(shape.n_moe_layers) if shape.n_moe_layers else 0
        self.embedding = nn.Parameter(torch.empty(int(shape.vocab_size), int(shape.d_model)))
        rows = int(shape.position_rows)
        self.positions = nn.Parameter(torch.empty(rows, int(shape.d_model))) if rows else None
        self.layers = nn.ModuleList(
            Layer(shape, moe=bool(every) and (i + 1) % every == 0, dispatch=dispatch)
            for i in range(int(shape.n_layers))
        )
        self.norm = build_norm(shape)
        if not self.embedding.is_meta:
            self._initialise(torch.Generator().manual_seed(seed))

    def _initialise(self, generator: torch.Generator) -> None:
        """Variance 1/fan-in; what is added to the residual is smaller by sqrt(2L) (GPT-2)."""
        residual = 1 / math.sqrt(2 * int(self.shape.n_layers))
        for name, parameter in self.named_parameters():
            if name.endswith(STILL):
                continue
            table = name in ("embedding", "positions")
            std = EMBEDDING_STD if table else 1 / math.sqrt(parameter.shape[-1])
            if name.endswith(("output.weight", "down", "down.weight")):
                std *= residual
            with torch.no_grad():
                parameter.normal_(std=std, generator=generator)

    def hidden(
        self, tokens: Tensor, draw: torch.Generator | None = None
    ) -> tuple[Tensor, list[Routing]]:
        """The normalised last hidden states (B, S, M) of tokens (B, S), and all routings.

        Raises:
            InputError: a GPT has no positions for so many tokens.
        """
        x, seq = embedding(tokens, self.embedding), tokens.shape[1]
        if self.positions is None:
            x = x * math.sqrt(x.shape[-1])
        else:
            rows = len(self.positions)
            require(seq <= rows, "a sequence", f"at most {rows} tokens (position_rows)", seq)
            x = x + self.positions[:seq]
        routings = []
        for layer in self.layers:
            x, routing = layer(x, draw)
            if routing is not None:
                routings.append(routing)
        return self.norm(x), routings

    def forward(self, tokens: Tensor, draw: torch.Generator | None = None) -> Output:
        """Losses of predicting tokens[:, 1:] from tokens[:, :-1], for tokens (B, S + 1).

        `draw` is the chance of a training step, for dispatchers that take one.
        """
        x, routings = self.hidden(tokens[:, :-1], draw)
        # A function's forward sees a parameter that wants gradients even under no_grad; detached,
        # an evaluation does not compute gradients that nobody asked for.
        output = self.embedding if torch.is_grad_enabled() else self.embedding.detach()
        loss = ChunkedCrossEntropy.apply(
            x.reshape(-1, x.shape[-1]), output, tokens[:, 1:].reshape(-1)
        )
        if not routings:
            none = torch.zeros((), device=loss.device)
            return Output(loss, none, none, [])
        balance = torch.stack([routing.auxiliary_loss for routing in routings]).mean()
        z_loss = torch.stack([routing.z_loss for routing in routings]).mean()
        return Output(loss, balance, z_loss, routings)

    def logits(self, tokens: Tensor) -> Tensor:
        """Logits of the token after the last, (B, V), for tokens (B, S)."""
        x, _ = self.hidden(tokens)
        return x[:, -1] @ self.embedding.to(x.dtype).T
