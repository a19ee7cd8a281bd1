"""The decoder: pre-norm residual layers, one in every n of which has a mixture of experts.

One embedding serves as input and output. In a GLaM, dense layers have a gated GELU network and
mixture-of-experts layers have plain experts. A GPT, the dense baseline, has plain networks,
LayerNorm, and learned positions added to its input. `energy.shape.parameters` counts the
parameters of both exactly; what a shape does not say is in `glam.architecture`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from energy.shape import Shape
from glam.architecture import Architecture
from glam.checkpoints.checkpoint import Checkpoint, load_checkpoint
from glam.config import Dispatch, GlamConfig
from glam.family import default_architecture
from glam.feed_forward import FeedForward, GatedFeedForward
from glam.model.attention import Attention
from glam.model.branches import Branches
from glam.model.cross_entropy import ChunkedCrossEntropy
from glam.model.initialization import DRAWS
from glam.model.key_values import KeyValues
from glam.model.norm import build_norm
from glam.moe.layer import MixtureOfExperts
from glam.moe.router import MEAN_FIELDS, Routing
from glam.precision import DTYPES
from glam.recipe import Precision, require


@dataclass(frozen=True)
class Output:
    """Losses and routing of one forward pass.

    Attributes:
        loss: mean cross-entropy in nats per token, a scalar. Its gradient is that of the loss
            plus `Architecture.vocabulary_z_loss` times the vocabulary's z-loss.
        vocabulary_z_loss: mean square of the log-partition of the vocabulary's logits, a scalar
            without gradient; 0 where its weight is.
        auxiliary_loss: load-balancing loss, sum or mean over the MoE layers, a scalar; 0 if dense.
        z_loss: router z-loss, mean over the MoE layers, a scalar; 0 if dense.
        routings: routing of each MoE layer, in order.
    """

    loss: Tensor
    vocabulary_z_loss: Tensor
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
    losses = {
        name: torch.stack([getattr(part, name).detach() for part in outputs]).mean()
        for name in ("loss", "vocabulary_z_loss", "auxiliary_loss", "z_loss")
    }
    return Output(routings=routings, **losses)


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

    def __init__(
        self, shape: Shape, architecture: Architecture, *, moe: bool, dispatch: Dispatch | None
    ) -> None:
        super().__init__()
        self.attention_norm = build_norm(shape)
        self.attention = Attention(shape, architecture)
        self.ffn_norm = build_norm(shape)
        dense = GatedFeedForward if shape.ffn_matrices == 3 else FeedForward
        self.ffn = (
            MixtureOfExperts(shape, dispatch, architecture)
            if moe
            else dense(int(shape.d_model), int(shape.d_ff), architecture.dense_activation)
        )

    def forward(
        self,
        x: Tensor,
        generator: torch.Generator | None = None,
        dtype: torch.dtype = torch.float32,
        past: KeyValues | None = None,
        branches: Branches | None = None,
    ) -> tuple[Tensor, Routing | None]:
        """Return the layer's output and, with experts, its routing.

        Args:
            x: output of the layer before (B, S, M), float32.
            generator: random generator of a training step.
            dtype: format of activations and products.
            past: keys and values of the tokens before x; then no routing is returned.
            branches: of rows that are several sequences.
        """
        x = x + self.attention(self.attention_norm(x, dtype), past, branches)
        if past is not None and isinstance(self.ffn, MixtureOfExperts):
            return x + self.ffn.infer(self.ffn_norm(x), dtype), None
        if not isinstance(self.ffn, MixtureOfExperts):
            return x + self.ffn(self.ffn_norm(x, dtype)), None
        update, routing = self.ffn(self.ffn_norm(x), generator, dtype)
        return x + update, routing


class Glam(nn.Module):
    """A decoder language model, GLaM or GPT.

    Args:
        shape: shape of the model, of a family in `glam.family`.
        seed: seed of the initial weights; the same seed gives the same weights on every machine.
        dispatch: how tokens are dispatched to their experts; dropless by default.
        architecture: how the model is built; by default as the family of its shape.
        precision: format of activations and products; weights are float32.
    """

    def __init__(
        self,
        shape: Shape,
        seed: int = 0,
        dispatch: Dispatch | None = None,
        architecture: Architecture | None = None,
        precision: Precision = "float32",
    ) -> None:
        super().__init__()
        self.dtype = DTYPES[precision]
        architecture = architecture or default_architecture(shape)
        self.shape, self.architecture = shape, architecture
        every = int(shape.n_layers) // int(shape.n_moe_layers) if shape.n_moe_layers else 0
        mixture = 0 if architecture.moe_position == "first" else every - 1
        self.embedding = nn.Parameter(torch.empty(int(shape.vocab_size), int(shape.d_model)))
        rows = int(shape.position_rows)
        self.positions = nn.Parameter(torch.empty(rows, int(shape.d_model))) if rows else None
        self.layers = nn.ModuleList(
            Layer(shape, architecture, moe=bool(every) and i % every == mixture, dispatch=dispatch)
            for i in range(int(shape.n_layers))
        )
        self.norm = build_norm(shape)
        self._seed = seed
        if not self.embedding.is_meta:
            for weight, draw in zip(self.parameters(), self.initial_weights(), strict=True):
                draw(weight)

    def initial_weights(self) -> Iterator[Callable[[Tensor], None]]:
        """Yield what draws each weight, in their order, into a tensor of its whole shape.

        They draw from one generator, so that all must be used, one after the other.
        """
        generator = torch.Generator().manual_seed(self._seed)
        how = DRAWS[self.architecture.initial_weights]
        for name, _ in self.named_parameters():

            def draw(weight: Tensor, name: str = name) -> None:
                with torch.no_grad():
                    how(name, weight, self.shape, generator)

            yield draw

    @classmethod
    def from_checkpoint(
        cls, checkpoint: Checkpoint | str | Path, dispatch: Dispatch | None = None
    ) -> Self:
        """Build the model of a checkpoint, with its weights, on the CPU.

        Args:
            checkpoint: a checkpoint or its path.
            dispatch: how tokens are dispatched to their experts; as in the run by default.

        Raises:
            InputError: there is none there, it is not a checkpoint, or it is damaged.
        """
        if not isinstance(checkpoint, Checkpoint):
            checkpoint = load_checkpoint(checkpoint)
        model = cls.of(checkpoint.config, dispatch)
        checkpoint.restore(model)
        return model

    @classmethod
    def of(cls, config: GlamConfig, dispatch: Dispatch | None = None) -> Self:
        """Build the model of a configuration, with its initial weights, on the CPU.

        Args:
            config: configuration of a run; a precision of auto is float32.
            dispatch: how tokens are dispatched to their experts; as in the run by default.
        """
        training, dispatch = config.training, dispatch or config.dispatch
        precision = "float32" if training.precision == "auto" else training.precision
        return cls(config.shape, training.seed, dispatch, config.architecture, precision)

    def hidden_states(
        self,
        tokens: Tensor,
        generator: torch.Generator | None = None,
        past: Sequence[KeyValues] | None = None,
        branches: Branches | None = None,
    ) -> tuple[Tensor, list[Routing]]:
        """Return the input (B, S, M) of the output projection for tokens (B, S), and all routings.

        It is the normalized last hidden states, or these over sqrt(M) where the output is scaled.
        With `past`, the stores of all layers, tokens are those after the ones in the stores; with
        `branches`, a row is several sequences with a common beginning.

        Raises:
            InputError: a GPT has fewer positions than tokens.
        """
        x, seq = embedding(tokens, self.embedding), tokens.shape[1]
        if self.architecture.embedding_scale == "input":
            x = x * math.sqrt(x.shape[-1])
        if self.positions is not None:
            rows = len(self.positions)
            places = past[0].places if past else None
            end = seq
            at: Tensor | slice = slice(seq)
            if branches is not None:
                end, at = branches.longest, branches.depths
            elif places is not None and not places.begins:
                end, at = places.longest, places.known[:, None]
            require(end <= rows, "a sequence", f"at most {rows} tokens (position_rows)", end)
            x = x + self.positions[at]
        routings = []
        stores = past or repeat(None, len(self.layers))
        for layer, store in zip(self.layers, stores, strict=True):
            x, routing = layer(x, generator, self.dtype, store, branches)
            if routing is not None:
                routings.append(routing)
        x = self.norm(x)
        if self.architecture.embedding_scale == "output":
            x = x / math.sqrt(x.shape[-1])
        return x, routings

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
        loss, vocabulary_z_loss = ChunkedCrossEntropy.apply(
            x.reshape(-1, x.shape[-1]).to(self.dtype),
            output,
            tokens[:, 1:].reshape(-1),
            self.architecture.vocabulary_z_loss,
        )
        if not routings:
            zero = torch.zeros((), device=loss.device)
            return Output(loss, vocabulary_z_loss, zero, zero, [])
        auxiliary_loss = self.auxiliary_loss(routings)
        z_loss = torch.stack([routing.z_loss for routing in routings]).mean()
        return Output(loss, vocabulary_z_loss, auxiliary_loss, z_loss, routings)

    def balance(self, routings: Sequence[Routing]) -> None:
        """Move the biases of routers that balance without a loss, after an update.

        Args:
            routings: of the whole batch, by MoE layer.
        """
        if not self.architecture.router_bias_step:
            return
        mixtures = [layer.ffn for layer in self.layers if isinstance(layer.ffn, MixtureOfExperts)]
        for mixture, routing in zip(mixtures, routings, strict=True):
            mixture.router.balance(routing)

    def auxiliary_loss(self, routings: Sequence[Routing]) -> Tensor:
        """Return the balancing loss of all mixtures, added or averaged as the architecture has it.

        0 without any.
        """
        if not routings:
            return torch.zeros((), device=self.embedding.device)
        balancing = torch.stack([routing.auxiliary_loss for routing in routings])
        over_layers = self.architecture.balance_over_layers
        return balancing.sum() if over_layers == "sum" else balancing.mean()

    def key_values(self, rows: int, positions: int) -> list[KeyValues]:
        """Return an empty store of each layer for so many tokens of each of so many sequences."""
        attentions = (layer.get_submodule("attention") for layer in self.layers)
        return [
            attention.key_values(rows, positions)
            for attention in attentions
            if isinstance(attention, Attention)
        ]

    def logits(self, tokens: Tensor, past: Sequence[KeyValues] | None = None) -> Tensor:
        """Return the logits (B, V) of the next token after tokens (B, S).

        Args:
            tokens: sequences; with `past`, their beginnings or the next token of each.
            past: a store of each layer, of `key_values`, to which the tokens are added.
        """
        x, _ = self.hidden_states(tokens, None, past)
        return x[:, -1] @ self.embedding.T
