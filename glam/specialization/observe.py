"""What a model's routers choose for each token, beside routers with random weights.

A random router reads the same hidden states, but was never trained: hidden states tell domains and
tokens apart, so that it specializes too, and only what is above it was learned. Its weights are
normal, and it reads hidden states less their mean; otherwise it would send all tokens to the few
experts that lie in the direction of the mean, where a trained router is balanced.
Legend: N windows, S tokens of a window, T tokens of a batch, E experts, K experts per token,
R random routers, M model width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from glam.model.decoder import Glam
from glam.moe.layer import MixtureOfExperts
from glam.specialization.windows import Windows

BATCH_TOKENS = {"cpu": 4096, "cuda": 65536}

LOGIT_ROWS = 1024
"""Positions whose logits over the vocabulary are computed at once."""

Show = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Labels:
    """One label of every token.

    Attributes:
        number: L, how many there are.
        tokens: that of each token, 0 to L - 1 (N, S).
    """

    number: int
    tokens: NDArray[np.int64]


@dataclass(frozen=True)
class Observation:
    """What a model did with the windows.

    Attributes:
        losses: mean loss of each window in nats per token (N).
        experts: of each mixture layer, the experts of each token (N, S, K).
        random: of each mixture layer, by label, the counts (R, E, L) of random routers.
    """

    losses: NDArray[np.float64]
    experts: list[NDArray[np.int16]]
    random: list[dict[str, NDArray[np.int64]]]


def mixtures(model: Glam) -> dict[int, MixtureOfExperts]:
    """Return the mixtures of a model by the number of their layer, from 1."""
    return {
        number: layer.ffn
        for number, layer in enumerate(model.layers, 1)
        if isinstance(layer.ffn, MixtureOfExperts)
    }


@torch.no_grad()
def window_losses(model: Glam, tokens: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Return the loss of each sequence of tokens (B, S + 1), and the experts of each layer (T, K).

    Logits over the vocabulary are computed for a few positions at a time.
    """
    x, routings = model.hidden_states(tokens[:, :-1])
    rows, targets = x.reshape(-1, x.shape[-1]), tokens[:, 1:].reshape(-1)
    losses = [
        cross_entropy(part @ model.embedding.T, target, reduction="none")
        for part, target in zip(rows.split(LOGIT_ROWS), targets.split(LOGIT_ROWS), strict=True)
    ]
    per_window = torch.cat(losses).view(len(tokens), -1).mean(1)
    return per_window, [routing.experts for routing in routings]


def batches(model: Glam, windows: Windows) -> Iterator[tuple[slice, Tensor]]:
    """Yield the windows in batches, on the device of the model."""
    place = model.embedding.device
    size = max(1, BATCH_TOKENS[place.type] // windows.size[1])
    for begin in range(0, windows.size[0], size):
        part = slice(begin, begin + size)
        yield part, torch.from_numpy(windows.tokens[part]).to(place)


def losses_of(model: Glam, windows: Windows) -> NDArray[np.float64]:
    """Return the mean loss of each window in nats per token (N)."""
    parts = [window_losses(model, tokens)[0].cpu() for _, tokens in batches(model, windows)]
    return torch.cat(parts).double().numpy()


def observe(
    model: Glam,
    windows: Windows,
    labels: Mapping[str, Labels],
    *,
    routers: int,
    seed: int,
    show: Show,
) -> Observation:
    """Return what a model does with windows, and what random routers in its place would choose.

    Args:
        model: in evaluation.
        windows: of validation text.
        labels: of the tokens, by name.
        routers: R; 0 for none.
        seed: of the random routers.
        show: shows the progress.
    """
    layers = mixtures(model)
    crowds = [RandomRouters(mixture, labels, routers, seed) for mixture in layers.values()]
    losses: list[Tensor] = []
    chosen: list[list[Tensor]] = [[] for _ in layers]
    with _inputs(list(layers.values())) as inputs:
        for part, tokens in batches(model, windows):
            show("routing", part.start, len(windows.tokens))
            loss, experts = window_losses(model, tokens)
            losses.append(loss.cpu())
            for layer, own in enumerate(experts):
                chosen[layer].append(own.view(len(tokens), -1, own.shape[-1]).to(torch.int16).cpu())
                crowds[layer].add(inputs[layer], part)
    return Observation(
        torch.cat(losses).double().numpy(),
        [torch.cat(parts).numpy() for parts in chosen],
        [crowd.counts() for crowd in crowds],
    )


@contextmanager
def _inputs(layers: list[MixtureOfExperts]) -> Iterator[dict[int, Tensor]]:
    """Keep the newest input of each mixture."""
    inputs: dict[int, Tensor] = {}

    def keep(layer: int) -> Callable[..., None]:
        def hook(_module: Any, arguments: tuple[Any, ...]) -> None:
            inputs[layer] = arguments[0].detach()

        return hook

    handles = [mixture.register_forward_pre_hook(keep(i)) for i, mixture in enumerate(layers)]
    try:
        yield inputs
    finally:
        for handle in handles:
            handle.remove()


class RandomRouters:
    """Routers with random weights in the place of a layer's own; counts what they choose.

    Args:
        mixture: the layer.
        labels: of the tokens, by name.
        routers: R.
        seed: of the weights.
    """

    def __init__(
        self,
        mixture: MixtureOfExperts,
        labels: Mapping[str, Labels],
        routers: int,
        seed: int,
    ) -> None:
        weight = mixture.router.weight
        self.n_experts, width = weight.shape
        self.top_k, self.routers = mixture.router.top_k, routers
        generator = torch.Generator().manual_seed(seed)
        size = (width, routers * self.n_experts)
        self.weights = torch.randn(size, generator=generator).to(weight.device)
        self.labels = labels
        self._counts = {
            name: weight.new_zeros(routers * self.n_experts * own.number, dtype=torch.int64)
            for name, own in labels.items()
        }
        self._mean: Tensor | None = None

    def add(self, x: Tensor, part: slice) -> None:
        """Route the hidden states (B, S, M) of some windows."""
        if not self.routers:
            return
        rows = x.reshape(-1, x.shape[-1])
        if self._mean is None:  # of the first batch, whose windows are from all domains
            self._mean = rows.mean(0)
        logits = (rows - self._mean) @ self.weights
        experts = logits.view(len(rows), self.routers, -1).topk(self.top_k, -1).indices
        experts += torch.arange(self.routers, device=x.device).view(1, -1, 1) * self.n_experts
        for name, counts in self._counts.items():
            labels = self.labels[name]
            own = torch.from_numpy(labels.tokens[part].reshape(-1)).to(x.device)
            cells = (experts * labels.number + own.view(-1, 1, 1)).reshape(-1)
            counts += torch.bincount(cells, minlength=len(counts))

    def counts(self) -> dict[str, NDArray[np.int64]]:
        """Return the counts by label (R, E, L)."""
        return {
            name: counts.view(self.routers, self.n_experts, self.labels[name].number).cpu().numpy()
            for name, counts in self._counts.items()
        }
