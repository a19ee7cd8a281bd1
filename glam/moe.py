"""The mixture-of-experts layer: a router, and experts that each token passes only K of.

Routing as in GShard (arXiv:2006.16668) and GLaM (arXiv:2112.06905); dispatch without dropping as
in MegaBlocks (arXiv:2211.15841): tokens are sorted by expert and multiplied in groups.
Legend: T tokens, M width, E experts, K chosen, H width of an expert.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, grouped_mm

from energy.shape import Shape


@dataclass(frozen=True)
class Routing:
    """Where each token goes.

    Attributes:
        experts: chosen experts of each token, best first (T, K).
        weights: weight of each chosen expert (T, K), float32.
        auxiliary_loss: load-balancing loss, a scalar; 1 when all loads are equal.
        load: share of the T*K assignments that each expert got (E), sums to 1.
    """

    experts: Tensor
    weights: Tensor
    auxiliary_loss: Tensor
    load: Tensor


class Router(nn.Module):
    """A linear layer and a softmax over the experts, in float32 whatever the model's precision."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.top_k = int(shape.top_k)
        self.weight = nn.Parameter(torch.empty(int(shape.n_experts), int(shape.d_model)))

    def forward(self, x: Tensor) -> Routing:
        """Choose the experts of x (T, M).

        The weights of K > 1 chosen experts are renormalised to sum 1 (GShard). A single one keeps
        its probability (Switch, arXiv:2101.03961): renormalised to 1 it would teach the router
        nothing.
        """
        with torch.autocast(x.device.type, enabled=False):
            gates = (x.float() @ self.weight.float().T).softmax(-1)
        weights, experts = gates.topk(self.top_k, dim=-1)
        if self.top_k > 1:
            weights = weights / weights.sum(-1, keepdim=True)
        n_experts = gates.shape[-1]
        load = torch.bincount(experts.flatten(), minlength=n_experts) / experts.numel()
        return Routing(experts, weights, auxiliary_loss(gates, experts[:, 0]), load)


class Experts(nn.Module):
    """E plain networks: in -> H, GELU, H -> out.

    Weights lie as (E, out, in), the layout in which grouped products are fast on CPUs.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        n_experts, width, hidden = int(shape.n_experts), int(shape.d_model), int(shape.d_expert)
        self.up = nn.Parameter(torch.empty(n_experts, hidden, width))
        self.down = nn.Parameter(torch.empty(n_experts, width, hidden))

    def forward(self, x: Tensor, ends: Tensor) -> Tensor:
        """Apply each expert to its rows of x (rows, M); expert e owns rows up to `ends[e]`."""
        hidden = gelu(grouped_mm(x, self.up.to(x.dtype).transpose(1, 2), offs=ends))
        return grouped_mm(hidden, self.down.to(x.dtype).transpose(1, 2), offs=ends)


class MixtureOfExperts(nn.Module):
    """Router and experts in the place of a feed-forward network."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.router, self.experts = Router(shape), Experts(shape)

    def forward(self, x: Tensor) -> tuple[Tensor, Routing]:
        """The weighted sum of each token's experts, for x (B, S, M); no token is dropped."""
        tokens = x.reshape(-1, x.shape[-1])
        routing = self.router(tokens)
        if torch.is_autocast_enabled(x.device.type):
            tokens = tokens.to(torch.get_autocast_dtype(x.device.type))
        top_k = routing.experts.shape[1]
        # Bit-for-bit repeatable: a stable sort, and rows that are only ever permuted, so that no
        # backward pass adds them up in whatever order its threads come.
        assigned, order = routing.experts.flatten().sort(stable=True)
        counts = torch.bincount(assigned, minlength=routing.load.shape[0])
        copies = tokens.unsqueeze(1).expand(-1, top_k, -1).reshape(len(order), -1)
        found = self.experts(copies[order], counts.cumsum(0).to(torch.int32))
        by_token = found[order.argsort()].view(len(tokens), top_k, -1)
        mixed = (by_token * routing.weights.to(found.dtype).unsqueeze(-1)).sum(1)
        return mixed.view(x.shape).to(x.dtype), routing


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
