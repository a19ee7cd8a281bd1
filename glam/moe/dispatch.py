"""How tokens reach the experts that they chose: without a limit, or into slots of fixed number.

Both dispatchers take tokens, their routing and the experts, and give the weighted sum with an
account of what was sent. Rows are only ever copied to places of their own, so that no backward
pass adds them up in whatever order its threads come: bit-for-bit repeatable.
Legend: T tokens, M width, E experts, K chosen, G tokens in a group, C slots of an expert in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import one_hot, pad

from glam.config import Dispatch
from glam.moe.experts import Experts
from glam.moe.permute import Mix, Spread
from glam.moe.router import Routing


@dataclass(frozen=True)
class Sent:
    """What became of the assignments of a layer.

    Attributes:
        mixed: weighted sum of each token's experts (T, M); 0 where none took it.
        kept: which assignments an expert computed (T, K).
        dropped: share of the T*K assignments that found their expert full, a scalar.
        left_out: share that the draw of the second expert never sent, a scalar.
    """

    mixed: Tensor
    kept: Tensor
    dropped: Tensor
    left_out: Tensor


class Dispatcher(Protocol):
    """Send tokens (T, M) to their experts and bring the results back."""

    def __call__(
        self, tokens: Tensor, routing: Routing, experts: Experts, draw: torch.Generator | None
    ) -> Sent:
        """Apply the experts; `draw` is the chance of a training step, None in evaluation."""
        ...


class Dropless:
    """Tokens sorted by expert and multiplied in groups (MegaBlocks, arXiv:2211.15841)."""

    def __call__(
        self, tokens: Tensor, routing: Routing, experts: Experts, draw: torch.Generator | None
    ) -> Sent:
        """Every assignment is computed, whatever the load."""
        assigned, order = routing.experts.flatten().sort(stable=True)
        ends = torch.bincount(assigned, minlength=routing.load.shape[0]).cumsum(0)
        token = order.div(routing.experts.shape[1], rounding_mode="floor")
        rows = torch.arange(len(order), device=order.device)
        place = torch.empty_like(order).scatter_(0, order, rows).view_as(routing.experts)
        found = experts(Spread.apply(tokens, token, place, None), ends.to(torch.int32))
        mixed = Mix.apply(found, routing.weights, token, place)
        none = routing.load.new_zeros(())
        kept = torch.ones_like(routing.experts, dtype=torch.bool)
        return Sent(mixed, kept, none, none)


class Capacity:
    """Slots of fixed number by group and expert; who finds none is carried by the residual.

    GShard (arXiv:2006.16668, algorithm 1) with K = 2, Switch (arXiv:2101.03961) with K = 1. All
    first choices of a group take slots in the order of the tokens, then all second ones. In
    training a second choice of weight g is sent with probability 2 g; one that is not sent takes
    no slot. Weights are not renormalised after a drop.
    """

    def __init__(self, dispatch: Dispatch) -> None:
        self.factor, self.group = dispatch.capacity_factor, dispatch.group_tokens

    def __call__(
        self, tokens: Tensor, routing: Routing, experts: Experts, draw: torch.Generator | None
    ) -> Sent:
        """Fill the slots, multiply all of them, and bring back those that hold a token."""
        n_tokens, top_k = routing.experts.shape
        n_experts = routing.load.shape[0]
        group = min(self.group, n_tokens)
        room = capacity(self.factor, top_k, group, n_experts)
        sent = torch.ones_like(routing.experts, dtype=torch.bool)
        if draw is not None and top_k == 2:
            second = routing.weights[:, 1].detach()
            sent[:, 1] = torch.rand(n_tokens, generator=draw, device=draw.device) < 2 * second
        place = places(routing.experts, sent, group, n_experts)
        kept = sent & (place < room)
        # Slots lie by expert, then by group, then by place.
        n_groups = math.ceil(n_tokens / group)
        n_slots = n_experts * n_groups * room
        ids = torch.arange(n_tokens, device=tokens.device).unsqueeze(1)
        slot = (routing.experts * n_groups + ids.div(group, rounding_mode="floor")) * room + place
        # Whom a slot holds; an empty one computes token 0, which nobody asks for. Those without a
        # slot write behind the last one.
        token = slot.new_zeros(n_slots + 1)
        token.scatter_(0, slot.where(kept, n_slots).flatten(), ids.expand_as(slot).flatten())
        token, slot = token[:n_slots], slot.where(kept, 0)
        rows = Spread.apply(tokens, token, slot, kept)
        found = experts.padded(rows.view(n_experts, n_groups * room, -1)).flatten(0, 1)
        return Sent(
            Mix.apply(found, routing.weights * kept, token, slot),
            kept,
            (sent & ~kept).float().mean(),
            (~sent).float().mean(),
        )


def dispatcher(dispatch: Dispatch) -> Dispatcher:
    """The dispatcher of a configuration."""
    return Dropless() if dispatch.kind == "dropless" else Capacity(dispatch)


def capacity(factor: float, top_k: int, group_tokens: int, n_experts: int) -> int:
    """Slots of an expert in a group: ceil(factor * K * G / E).

    1.25 * 2 * 1,024 / 64 = 40.
    """
    return math.ceil(factor * top_k * group_tokens / n_experts)


def expert_padding(dispatch: Dispatch, tokens: int, top_k: int, n_experts: int) -> float:
    """Rows that the experts multiply over the T*K that a model's FLOP counts.

    Dropless 1. Capacity 1.25, groups of 1,024, top-2 of 64: 64 * 40 / 2,048 = 1.25.
    """
    if dispatch.kind == "dropless":
        return 1.0
    group = min(dispatch.group_tokens, tokens)
    room = capacity(dispatch.capacity_factor, top_k, group, n_experts)
    return n_experts * math.ceil(tokens / group) * room / (tokens * top_k)


def places(experts: Tensor, sent: Tensor, group: int, n_experts: int) -> Tensor:
    """Place of each assignment in the queue of its expert and group, from 0 (T, K).

    Args:
        experts: chosen experts, best first (T, K).
        sent: which assignments queue at all (T, K).
        group: tokens in a group; the last one may hold fewer.
        n_experts: experts of the layer.
    """
    n_tokens, top_k = experts.shape
    rows = -n_tokens % group
    asked = one_hot(experts, n_experts) * sent.unsqueeze(-1)
    # (groups, K, G, E): the queue of a group is all its first choices, then all its second ones.
    queue = pad(asked, (0, 0, 0, 0, 0, rows)).view(-1, group, top_k, n_experts).transpose(1, 2)
    before = queue.flatten(1, 2).cumsum(1).view(queue.shape) - queue
    before = before.transpose(1, 2).reshape(-1, top_k, n_experts)[:n_tokens]
    return before.gather(2, experts.unsqueeze(2)).squeeze(2)
