"""The router: which K of the E experts each token is sent to, and with which weights.

Routing as in GShard (arXiv:2006.16668) and GLaM (arXiv:2112.06905), or as their relatives do it by
the fields `router_` of `glam.architecture.Architecture`.
Legend: T tokens, M model width, E experts, K experts per token.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from energy.shape import Shape
from glam.architecture import GLAM, Architecture
from glam.config import Dispatch
from glam.moe.capacity import group_tokens
from glam.moe.part import WHOLE, Part


@dataclass(frozen=True)
class Routing:
    """The experts of each token, and the statistics of a layer's routing.

    Attributes:
        experts: chosen experts of each token, best first (T, K).
        weights: weight of each chosen expert (T, K), float32.
        auxiliary_loss: load-balancing loss, a scalar; 1 when all loads are equal, or K if it
            counts all choices.
        z_loss: mean square of the router's log-partition (ST-MoE, arXiv:2202.08906), a scalar.
        load: fraction of the T*K assignments that go to each expert (E); sums to 1.
        entropy: mean entropy of a token's gates in nats, a scalar; log E when undecided.
        dropped: fraction of assignments dropped because the expert was full, a scalar.
        second_expert_skipped: fraction not sent because the second expert was not sampled.
        padding: rows that the experts computed over the T*K assignments, a scalar; 1 without
            padding.
    """

    experts: Tensor
    weights: Tensor
    auxiliary_loss: Tensor
    z_loss: Tensor
    load: Tensor
    entropy: Tensor
    dropped: Tensor
    second_expert_skipped: Tensor
    padding: Tensor

    def max_violation(self) -> Tensor:
        """Return how far the busiest expert is above the mean load (MaxVio, arXiv:2408.15664).

        0 when all loads are equal, E - 1 when one expert gets every token.
        """
        return self.load.max() * len(self.load) - 1


MEAN_FIELDS = (
    "auxiliary_loss",
    "z_loss",
    "load",
    "entropy",
    "dropped",
    "second_expert_skipped",
    "padding",
)
"""Fields of a routing whose value for a batch is the mean over its equal micro-batches."""


class Router(nn.Module):
    """A linear layer and a softmax over the experts, in float32 whatever the format of products.

    Args:
        shape: shape of the model.
        dispatch: how tokens are dispatched to their experts.
        architecture: how gates become choices and weights.

    Attributes:
        bias: of each expert in the choice (E), where balancing is free of loss.
    """

    bias: Tensor | None

    def __init__(self, shape: Shape, dispatch: Dispatch, architecture: Architecture = GLAM) -> None:
        super().__init__()
        self.top_k, self.dispatch, self.part = int(shape.top_k), dispatch, WHOLE
        self.architecture = architecture
        self.weight = nn.Parameter(torch.empty(int(shape.n_experts), int(shape.d_model)))
        balanced = architecture.router_bias_step > 0
        self.register_buffer("bias", torch.zeros(int(shape.n_experts)) if balanced else None)

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Routing:
        """Choose the experts of tokens x (T, M), float32.

        `generator` is that of a training step, in which a second expert may be drawn.

        With K > 1, the weights of the chosen experts are renormalized to sum to 1 (GShard), unless
        the architecture says otherwise. With K = 1 the expert keeps its probability (Switch,
        arXiv:2101.03961): renormalized to 1, it would give the router no gradient.
        """
        logits = self.logits(x)
        log_partition = logits.logsumexp(-1, keepdim=True)
        gates, weights, experts = self.choose(logits, generator)
        n_experts = gates.shape[-1]
        load = assignments(experts.flatten(), n_experts) / experts.numel()
        if self.architecture.router_gates == "sigmoid":
            gates = gates / gates.sum(-1, keepdim=True)  # shares, as in the losses of DeepSeek-V3
            entropy = torch.special.entr(gates).sum(-1).mean().detach()
        else:
            entropy = (log_partition.squeeze(-1) - (gates * logits).sum(-1)).mean().detach()
        all_choices = self.architecture.balance_choices == "all"
        zero = load.new_zeros(())
        return Routing(
            experts,
            weights,
            self._auxiliary_loss(gates, experts if all_choices else experts[:, 0]),
            log_partition.square().mean(),
            load,
            entropy,
            zero,
            zero,
            zero + 1,
        )

    def logits(self, x: Tensor) -> Tensor:
        """Return the logits of the experts (T, E) for tokens x (T, M)."""
        return x @ self.weight.T

    def choose(
        self, logits: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gates (T, E), and weights and experts of each token (T, K), best first."""
        if self.architecture.own_router:
            return self._choose_as_relatives(logits)
        gates = logits.softmax(-1)
        weights, experts = gates.topk(self.top_k, dim=-1)
        if self.dispatch.second_expert == "sampling" and generator is not None:
            experts[:, 1] = drawn_second(
                logits, experts[:, 0], self.part.uniform(logits.shape, generator)
            )
            weights = gates.gather(1, experts)
        if self.top_k > 1:
            weights = weights / weights.sum(-1, keepdim=True)
        return gates, weights, experts

    def _choose_as_relatives(self, logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same for gates of a sigmoid, choices by bias or group, and weights of another sum."""
        how = self.architecture
        gates = logits.softmax(-1) if how.router_gates == "softmax" else logits.sigmoid()
        ranks = gates if self.bias is None else gates + self.bias
        if how.router_groups > 1:
            ranks = within_groups(ranks, how.router_groups, how.router_top_groups)
        experts = ranks.topk(self.top_k, dim=-1).indices
        weights = gates.gather(1, experts)
        if how.router_renormalize and self.top_k > 1:
            weights = weights / (weights.sum(-1, keepdim=True) + LEAST_SUM)
        return gates, weights * how.router_scale, experts

    @torch.no_grad()
    def balance(self, routing: Routing) -> None:
        """Move the biases a step towards equal loads, after an update (arXiv:2408.15664).

        16 assignments to 4 experts as 4, 2, 7 and 3: steps of 0, +1, -1 and +1.

        Args:
            routing: of the batch; its load is that of all processes that share the batch.
        """
        if self.bias is not None:
            step = self.architecture.router_bias_step
            total = routing.experts.numel() * self.part.parts
            # Whole numbers, as means of several processes may miss 1 / E by a rounding.
            counts = (routing.load.double() * total).round()
            self.bias += step * torch.sign(total - counts * len(counts)).to(self.bias.dtype)

    def _auxiliary_loss(self, gates: Tensor, choices: Tensor) -> Tensor:
        """Return the load-balancing loss, per dispatch group and averaged over tokens (GShard)."""
        size = group_tokens(self.dispatch, len(choices) * self.part.parts)
        if size >= len(choices):
            # A dispatch group that is larger than this part spans all of them.
            return auxiliary_loss(gates, choices, self.part if size > len(choices) else WHOLE)
        groups = zip(gates.split(size), choices.split(size), strict=True)
        losses = [auxiliary_loss(group, own) * (len(own) / len(choices)) for group, own in groups]
        return torch.stack(losses).sum()


LEAST_SUM = 1e-20
"""Added to sums of weights before a division, as gates of a sigmoid may all be 0 (DeepSeek-V3)."""


def within_groups(ranks: Tensor, groups: int, top_groups: int) -> Tensor:
    """Return the ranks (T, E) with those outside a token's best groups at minus infinity.

    The rank of a group of neighboring experts is the sum of its best two (DeepSeek-V3,
    arXiv:2412.19437, section 2.1.2).
    """
    grouped = ranks.detach().view(len(ranks), groups, -1)
    best = grouped.topk(2, dim=-1).values.sum(-1).topk(top_groups, dim=-1).indices
    outside = torch.ones_like(grouped[..., 0], dtype=torch.bool).scatter_(1, best, value=False)
    return grouped.masked_fill(outside.unsqueeze(-1), -math.inf).flatten(1)


def assignments(experts: Tensor, n_experts: int) -> Tensor:
    """Return how many of the assignments (A) go to each expert (E).

    torch.bincount counts the same, but on a GPU it waits for the largest number.
    """
    return experts.new_zeros(n_experts).scatter_add_(0, experts, torch.ones_like(experts))


def drawn_second(logits: Tensor, first: Tensor, draws: Tensor) -> Tensor:
    """Return second experts drawn from the gates without the first (T).

    The largest of the logits plus Gumbel noise is a draw from their softmax.

    Args:
        logits: of the router (T, E).
        first: first expert of each token (T).
        draws: uniform numbers (T, E).
    """
    noised = logits.detach() - torch.log(-torch.log(draws))
    return noised.scatter_(1, first.unsqueeze(1), -math.inf).argmax(-1)


def auxiliary_loss(gates: Tensor, choices: Tensor, part: Part = WHOLE) -> Tensor:
    """Return the load-balancing loss of GShard: E * sum over experts e of f_e * p_e.

    Args:
        gates: probabilities (T, E).
        choices: first choice of each token (T), or all of its choices (T, K).
        part: of a batch. The loss is linear in p_e, so that the mean over the parts, each with the
            loads of the whole batch, is the loss of the whole batch, and so are its gradients.

    Returns:
        A scalar, where f_e is the fraction of tokens whose first choice is e and p_e the mean
        probability of e. 1 when both are uniform (E * E * 1/E * 1/E), E when one expert gets
        every token. Of all choices, f_e sums to K, and so does the loss when uniform
        (transformers' load_balancing_loss_func).
    """
    n_experts = gates.shape[-1]
    load = part.load(assignments(choices.flatten(), n_experts) / len(choices))
    return n_experts * (load * gates.mean(0)).sum()
