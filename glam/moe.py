"""The mixture-of-experts layer: a router, and experts that each token passes only K of.

Routing as in GShard (arXiv:2006.16668) and GLaM (arXiv:2112.06905); `glam.dispatch` brings tokens
to experts.
Legend: T tokens, M width, E experts, K chosen, H width of an expert.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, grouped_mm, pad

from energy.shape import Shape
from glam.config import Dispatch
from glam.dispatch import dispatcher
from glam.expert_threads import ExpertByExpert, worthwhile

ROW_BYTES = 16
"""Rows of a grouped product begin at multiples of so many bytes."""


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
        return Routing(experts, weights, self._balance(gates, experts[:, 0]),
                       normaliser.square().mean(), load, entropy, none, none)  # fmt: skip

    def _balance(self, gates: Tensor, first: Tensor) -> Tensor:
        """The load-balancing loss, of each group by itself and averaged over tokens (GShard)."""
        if not self.group_tokens:
            return auxiliary_loss(gates, first)
        groups = zip(gates.split(self.group_tokens), first.split(self.group_tokens), strict=True)
        losses = [auxiliary_loss(group, chosen) * (len(chosen) / len(first))
                  for group, chosen in groups]  # fmt: skip
        return torch.stack(losses).sum()


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
        if worthwhile(x, self.up):
            rows: Tensor = ExpertByExpert.apply(x, self.up, self.down, ends.tolist())
            return rows
        up, down = self.up.to(x.dtype), self.down.to(x.dtype)
        # A width that fits in float32 may not in bfloat16. Units of zero weight change nothing.
        missing = -up.shape[1] % (ROW_BYTES // up.element_size())
        if missing:
            up, down = pad(up, (0, 0, 0, missing)), pad(down, (0, missing))
        hidden = gelu(grouped_mm(x, up.transpose(1, 2), offs=ends))
        return grouped_mm(hidden, down.transpose(1, 2), offs=ends)

    def padded(self, x: Tensor) -> Tensor:
        """Apply each expert to as many rows as any other, x (E, rows, M); 0 stays 0.

        Weights stand on the left, so that their gradients come out in their own layout; on the
        right they are made transposed and copied, which took a quarter of the layer's time.
        """
        hidden = gelu(torch.bmm(self.up.to(x.dtype), x.transpose(1, 2)))  # (E, H, rows)
        return torch.bmm(self.down.to(x.dtype), hidden).transpose(1, 2)


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
