"""The decoder: pre-norm residual layers, every n-th of which has a mixture of experts.

One embedding serves as input and output. In a GLaM, dense layers have a gated GELU network and
mixture-of-experts layers have plain experts. A GPT, the dense baseline, has plain networks,
LayerNorm, and learned positions added to its input. `energy.shape.parameters` counts the
parameters of both exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from energy.shape import Shape
from glam.checkpoints.checkpoint import Checkpoint, load_checkpoint
from glam.config import Dispatch
from glam.model.attention import Attention
from glam.model.cross_entropy import ChunkedCrossEntropy
from glam.model.feed_forward import FeedForward, GatedFeedForward
from glam.model.norm import build_norm
from glam.moe.layer import MixtureOfExperts
from glam.moe.router import MEAN_FIELDS, Routing
from glam.recipe import require

EMBEDDING_STD = 0.02
"""Standard deviation of the initial embedding, as in GPT-2. With a larger one, the tied output
would start out confident that each token repeats itself."""


UNDECAYED = ("bias", "scale", "shift")
"""Name endings of parameters that start at 0 or 1 and get no weight decay."""


@dataclass(frozen=True)
class Output:
    """Losses and routing of one forward pass.

    Attributes:
        loss: mean cross-entropy in nats per token, a scalar.
        auxiliary_loss: load-balancing loss, mean over the MoE layers, a scalar; 0 if dense.
        z_loss: router z-loss, mean over the MoE layers, a scalar; 0 if dense.
        routings: routing of each MoE layer, in order.
    """

    loss: Tensor
    auxiliary_loss: Tensor
    z_loss: Tensor
    routings: list[Routing]


def merge_micro_batches(outputs: Sequence[Output]) -> Output:
    """Return the output of a whole batch from those of its equal micro-batches, detached."""
    if len(outputs) == 1:
        return outputs[0]
    routings = [
        _merge_routings(layer) for layer in zip(*(part.routings for part in outputs), strict=True)
    ]
    loss, auxiliary_loss, z_loss = (
        torch.stack([getattr(part, name).detach() for part in outputs]).mean()
        for name in ("loss", "auxiliary_loss", "z_loss")
    )
    return Output(loss, auxiliary_loss, z_loss, routings)


def _merge_routings(routings: Sequence[Routing]) -> Routing:
    """Return the routing of one layer over all micro-batches."""
    means = {
        name: torch.stack([getattr(routing, name).detach() for routing in routings]).mean(0)
        for name in MEAN_FIELDS
    }
    return replace(
        routings[0],
        experts=torch.cat([routing.experts for routing in routings]),
        weights=torch.cat([routing.weights.detach() for routing in routings]),
        **means,
    )


class Layer(nn.Module):
    """Attention, then a feed-forward network or a mixture of experts, each with a residual."""

    def __init__(self, shape: Shape, *, moe: bool, dispatch: Dispatch | None = None) -> None:
        super().__init__()
        self.attention_norm, self.attention = build_norm(shape), Attention(shape)
        self.ffn_norm = build_norm(shape)
        dense = GatedFeedForward if shape.ffn_matrices == 3 else FeedForward
        self.ffn = (
            MixtureOfExperts(shape, dispatch) if moe else dense(int(shape.d_model), int(shape.d_ff))
        )

    def forward(
        self, x: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Routing | None]:
        """Return the layer's output for x (B, S, M), of the same size, and its routing if MoE."""
        x = x + self.attention(self.attention_norm(x))
        y = self.ffn_norm(x)
        if not isinstance(self.ffn, MixtureOfExperts):
            return x + self.ffn(y), None
        update, routing = self.ffn(y, generator)
        return x + update, routing


class Glam(nn.Module):
    """A decoder language model, GLaM or GPT.

    Args:
        shape: shape of the model, of a family in `glam.family`; layer i has a mixture of experts
            if i + 1 is a multiple of n_layers / n_moe_layers.
        seed: seed of the initial weights; the same seed gives the same weights on every machine.
        dispatch: how tokens are dispatched to their experts; dropless by default.
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
            self._initialize(torch.Generator().manual_seed(seed))

    @classmethod
    def from_checkpoint(
        cls, checkpoint: Checkpoint | str | Path, dispatch: Dispatch | None = None
    ) -> Self:
        """Build the model of a checkpoint, with its weights, on the CPU.

        Args:
            checkpoint: a checkpoint or the path of its file.
            dispatch: how tokens are dispatched to their experts; as in the run by default.

        Raises:
            InputError: there is no such file, it is not a checkpoint, or it is damaged.
        """
        if not isinstance(checkpoint, Checkpoint):
            checkpoint = load_checkpoint(checkpoint)
        config = checkpoint.config
        model = cls(config.shape, config.training.seed, dispatch or config.dispatch)
        checkpoint.restore(model)
        return model

    def _initialize(self, generator: torch.Generator) -> None:
        """Draw weights with variance 1/fan-in, residual projections smaller by sqrt(2L) (GPT-2)."""
        residual = 1 / math.sqrt(2 * int(self.shape.n_layers))
        for name, parameter in self.named_parameters():
            if name.endswith(UNDECAYED):
                continue
            lookup = name in ("embedding", "positions")
            std = EMBEDDING_STD if lookup else 1 / math.sqrt(parameter.shape[-1])
            if name.endswith(("output.weight", "down", "down.weight")):
                std *= residual
            with torch.no_grad():
                parameter.normal_(std=std, generator=generator)

    def hidden_states(
        self, tokens: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, list[Routing]]:
        """Return the normalized last hidden states (B, S, M) of tokens (B, S), and all routings.

        Raises:
            InputError: a GPT has fewer positions than tokens.
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
            x, routing = layer(x, generator)
            if routing is not None:
                routings.append(routing)
        return self.norm(x), routings

    def forward(self, tokens: Tensor, generator: torch.Generator | None = None) -> Output:
        """Return the losses of predicting tokens[:, 1:] from tokens[:, :-1].

        Args:
            tokens: token sequences (B, S + 1).
            generator: random generator of a training step, for dispatchers that sample; None in
                evaluation.
        """
        x, routings = self.hidden_states(tokens[:, :-1], generator)
        # Even under no_grad, an autograd function sees that its parameter requires gradients, and
        # would compute them. Detached, it does not.
        output = self.embedding if torch.is_grad_enabled() else self.embedding.detach()
        loss = ChunkedCrossEntropy.apply(
            x.reshape(-1, x.shape[-1]), output, tokens[:, 1:].reshape(-1)
        )
        if not routings:
            zero = torch.zeros((), device=loss.device)
            return Output(loss, zero, zero, [])
        auxiliary_loss = torch.stack([routing.auxiliary_loss for routing in routings]).mean()
        z_loss = torch.stack([routing.z_loss for routing in routings]).mean()
        return Output(loss, auxiliary_loss, z_loss, routings)

    def logits(self, tokens: Tensor) -> Tensor:
        """Return the logits (B, V) of the next token after tokens (B, S)."""
        x, _ = self.hidden_states(tokens)
        return x[:, -1] @ self.embedding.to(x.dtype).T
