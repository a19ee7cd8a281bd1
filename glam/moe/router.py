"""The router: which K of E experts a token passes through, and how much of each.

Routing as in GShard (arXiv:2006.16668) and GLaM (arXiv:2112.06905).
Legend: T tokens, M width, E experts, K chosen.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from energy.shape import Shape


@dataclass(frozen=True)
class Routing:
    """Where each token goes.

    Attributes:
        experts: chosen experts of each token, best first (T, K).
        weights: weight of each chosen expert (T, K), float32.
        auxiliary_loss: load-balancing loss, a scalar; 1 when all loads are equal.
        z_loss: mean square of the router's log-partition (ST-MoE, arXiv:2202.08906), a scalar.
        load: share of the T*K assignments that chose each expert (E), sums to 1.
        entropy: mean entropy of a token's gates in nats, a scalar; log E when undecided.
        dropped: share of assignments that found their expert full, a scalar.
        left_out: share of assignments that the draw of the second expert never sent, a scalar.
    """

    experts: Tensor
    weights: Tensor
    auxiliary_loss: Tensor
    z_loss: Tensor
    load: Tensor
    entropy: Tensor
    dropped: Tensor
    left_out: Tensor

    def max_violation(self) -> Tensor:
        """How far the fullest expert is above an even share (MaxVio, arXiv:2408.15664).

        0 when even, E - 1 when one expert gets everything.
        """
        return self.load.max() * len(self.load) - 1


class Router(nn.Module):
    """A linear layer and a softmax over the experts, in float32 whatever the model's precision."""

    def __init__(self, shape: Shape, group_tokens: int = 0) -> None:
        super().__init__()
        self.top_k, self.group_tokens = int(shape.top_k), group_tokens
        self.weight = nn.Parameter(torch.empty(int(shape.n_experts), int(shape.d_model)))

    def forward(self, x: Tensor) -> Routing:
        """Choose the experts of x (T, M).

        The weights of K > 1 chosen experts are renormalised to sum 1 (GShard). A single one keeps
        its probability (Switch, arXiv:2101.03961): renormalised to 1 it would teach the router
        nothing.
        """
        with torch.autocast(x.device.type, enabled=False):
            logits = x.float() @ self.weight.float().T
            normaliser = logits.logsumexp(-1, keepdim=True)
            gates = logits.softmax(-1)
        weights, experts = gates.topk(self.top_k, dim=-1)
        if self.top_k > 1:
            weights = weights / weights.sum(-1, keepdim=True)
        n_experts = gates.shape[-1]
        load = torch.bincount(experts.flatten(), minlength=n_experts) / experts.numel()
        entropy = (normaliser.squeeze(-1) - (gates * logits).sum(-1)).mean().detach()
        none = load.new_zeros(())
        return Routing(
            experts,
            weights,
            self._balance(gates, experts[:, 0]),
            normaliser.square().mean(),
            load,
            entropy,
            none,
            none,
        )

    def _balance(self, gates: Tensor, first: Tensor) -> Tensor:
        """The load-balancing loss, of each group by itself and averaged over tokens (GShard)."""
        if not self.group_tokens:
            return auxiliary_loss(gates, first)
        groups = zip(gates.split(self.group_tokens), first.split(self.group_tokens), strict=True)
        losses = [
            auxiliary_loss(group, chosen) * (len(chosen) / len(first)) for group, chosen in groups
        ]
        return torch.stack(losses).sum()


def auxiliary_loss(gates: Tensor, first: Tensor) -> Tensor:
    """Load-balancing loss of GShard: E * sum over experts of f_e * p_e.

    Args:
        gates: probabilities (T, E).
        first: first choice of each token (T).

    Returns:
        A scalar, with f_e the share of tokens whose first choice is e, p_e the mean probability
        of e. 1 when both are uniform (E * E * 1/E * 1/E), E when one expert takes everything.
    """
    n_experts = gates.shape[-1]
    share = torch.bincount(first, minlength=n_experts) / len(first)
    return n_experts * (share * gates.mean(0)).sum()
