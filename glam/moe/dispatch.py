"""Dispatch of tokens to their experts: dropless, or into a fixed number of slots per expert.

Both dispatchers take tokens, their routing and the experts, and return the combined output and
which assignments were computed. Rows are only ever copied to places of their own, so that no
backward pass adds them in the arbitrary order of its threads: bit-for-bit repeatable.
Legend: T tokens, M model width, E experts, K experts per token, G tokens per group, C slots of an
expert in a group.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import one_hot, pad

from glam.config import Dispatch
from glam.moe.capacity import group_tokens, slots_per_expert
from glam.moe.experts import Experts
from glam.moe.part import WHOLE, Part
from glam.moe.permute import Combine, Permute
from glam.moe.router import Routing, assignments


@dataclass(frozen=True)
class Dispatched:
    """The combined output of a layer's experts, and what became of the assignments.

    Attributes:
        combined: weighted sum of each token's experts (T, M); 0 for a token without any.
        kept: which assignments an expert computed (T, K).
        dropped: fraction of the T*K assignments dropped because the expert was full, a scalar.
        second_expert_skipped: fraction not sent because the second expert was not sampled.
        padding: rows that the experts computed over the T*K assignments, a scalar.
    """

    combined: Tensor
    kept: Tensor
    dropped: Tensor
    second_expert_skipped: Tensor
    padding: Tensor


class Dispatcher(Protocol):
    """Dispatches tokens (T, M) to their experts and combines the results."""

    def __call__(
        self, tokens: Tensor, routing: Routing, experts: Experts, generator: torch.Generator | None
    ) -> Dispatched:
        """Apply the experts; `generator` is that of a training step, None in evaluation.

        In evaluation nothing is dropped. A dispatcher with capacity would otherwise look ahead: a
        later token's first choice takes the slot of an earlier token's second choice.
        """
        ...


class DroplessDispatcher:
    """Sorts tokens by expert for grouped matrix products (MegaBlocks, arXiv:2211.15841)."""

    def __call__(
        self, tokens: Tensor, routing: Routing, experts: Experts, generator: torch.Generator | None
    ) -> Dispatched:
        """Compute every assignment, however uneven the load."""
        assigned, order = routing.experts.flatten().sort(stable=True)
        counts = assignments(assigned, routing.load.shape[0])
        ends = counts.cumsum(0)
        token_of_row = order.div(routing.experts.shape[1], rounding_mode="floor")
        rows = torch.arange(len(order), device=order.device)
        if tokens.device.type == "cpu" and tokens.dtype != torch.float32:
            padded = padded_rows(counts, row_multiple(len(order), len(counts)))
            ends, begins = padded.cumsum(0), ends - counts
            rows += (ends - padded - begins)[assigned]
            # A row that pads computes token 0, whose result is never used.
            token_of_row = order.new_zeros(int(ends[-1])).scatter_(0, rows, token_of_row)
        rows_of_token = torch.empty_like(order).scatter_(0, order, rows).view_as(routing.experts)
        inputs = Permute.apply(tokens, token_of_row, rows_of_token, None)
        outputs = experts(inputs, ends.to(torch.int32))
        combined = Combine.apply(outputs, routing.weights, token_of_row, rows_of_token)
        zero = routing.load.new_zeros(())
        kept = torch.ones_like(routing.experts, dtype=torch.bool)
        return Dispatched(combined, kept, zero, zero, zero + len(inputs) / len(order))


class CapacityDispatcher:
    """Fills a fixed number of slots per group and expert, and drops the rest.

    GShard (arXiv:2006.16668, algorithm 1) and GLaM with K = 2, Switch (arXiv:2101.03961) with
    K = 1. All first choices of a group take slots in token order, then all second choices. In
    training, GShard sends a second choice of weight g with probability 2 g, GLaM by its policy; one
    that is not sent takes no slot. Weights are not renormalized after a drop; dropped tokens pass
    through the residual alone. In evaluation there is room for every assignment.
    """

    def __init__(self, dispatch: Dispatch, part: Part = WHOLE) -> None:
        self._evaluation, self.part = DroplessDispatcher(), part
        self.dispatch, self.threshold = dispatch, send_threshold(dispatch)

    def __call__(
        self, tokens: Tensor, routing: Routing, experts: Experts, generator: torch.Generator | None
    ) -> Dispatched:
        """Fill the slots, compute all of them, and combine those that hold a token."""
        if generator is None:
            return self._evaluation(tokens, routing, experts, None)
        n_tokens, top_k = routing.experts.shape
        n_experts = routing.load.shape[0]
        group = group_tokens(self.dispatch, n_tokens * self.part.parts)
        capacity = slots_per_expert(self.dispatch, group, top_k, n_experts)
        sent = torch.ones_like(routing.experts, dtype=torch.bool)
        if top_k == 2 and self.threshold is not None:
            second = routing.weights[:, 1].detach()
            sent[:, 1] = is_sent(second, self.part.uniform(second.shape, generator), self.threshold)
        position = queue_positions(routing.experts, sent, group, n_experts)
        kept = sent & (position < capacity)
        # Slots are ordered by expert, then by group, then by position in the queue.
        n_groups = math.ceil(n_tokens / group)
        n_slots = n_experts * n_groups * capacity
        ids = torch.arange(n_tokens, device=tokens.device).unsqueeze(1)
        group_of_token = ids.div(group, rounding_mode="floor")
        slot = (routing.experts * n_groups + group_of_token) * capacity + position
        # The token in each slot; an empty slot computes token 0, whose result is never used.
        # Assignments without a slot write to an extra one behind the last.
        token = slot.new_zeros(n_slots + 1)
        token.scatter_(0, slot.where(kept, n_slots).flatten(), ids.expand_as(slot).flatten())
        token, slot = token[:n_slots], slot.where(kept, 0)
        rows = Permute.apply(tokens, token, slot, kept)
        slots = rows.view(n_experts, n_groups * capacity, -1)
        outputs = experts.forward_slots(slots).flatten(0, 1)
        return Dispatched(
            Combine.apply(outputs, routing.weights * kept, token, slot),
            kept,
            (sent & ~kept).float().mean(),
            (~sent).float().mean(),
            routing.load.new_full((), n_slots / kept.numel()),
        )


def build_dispatcher(dispatch: Dispatch, part: Part = WHOLE) -> Dispatcher:
    """Build the dispatcher of a configuration, for a part of each batch."""
    if dispatch.kind == "dropless":
        return DroplessDispatcher()
    return CapacityDispatcher(dispatch, part)


def row_multiple(rows: int, n_experts: int) -> int:
    """Return the multiple to which the rows of each expert are padded in bfloat16 on a CPU.

    The library of products builds code for each number of rows that it meets, at a few ms each. A
    power of two, at most a sixteenth of the mean rows, keeps the sizes few and the padding at some
    3 %: 32 for 8,192 rows of 16 experts, 8 for 64 experts.
    """
    sixteenth = rows // n_experts // 16
    return min(max(8, 1 << max(0, sixteenth.bit_length() - 1)), 128)


def padded_rows(counts: Tensor, multiple: int) -> Tensor:
    """Return numbers of rows rounded up to a multiple."""
    return counts.add(multiple - 1).div(multiple, rounding_mode="floor").mul(multiple)


def queue_positions(experts: Tensor, sent: Tensor, group: int, n_experts: int) -> Tensor:
    """Return the position of each assignment in the queue of its expert and group (T, K).

    Args:
        experts: chosen experts, best first (T, K).
        sent: which assignments queue at all (T, K).
        group: tokens per group; the last group may have fewer.
        n_experts: experts of the layer.
    """
    n_tokens, top_k = experts.shape
    missing = -n_tokens % group
    assignments = one_hot(experts, n_experts) * sent.unsqueeze(-1)
    # (groups, K, G, E): all first choices of a group queue before all its second choices.
    queue = (
        pad(assignments, (0, 0, 0, 0, 0, missing)).view(-1, group, top_k, n_experts).transpose(1, 2)
    )
    before = queue.flatten(1, 2).cumsum(1).view(queue.shape) - queue
    before = before.transpose(1, 2).reshape(-1, top_k, n_experts)[:n_tokens]
    return before.gather(2, experts.unsqueeze(2)).squeeze(2)


def send_threshold(dispatch: Dispatch) -> float | None:
    """Return the weight from which second experts are always sent; None if all of them are."""
    if dispatch.kind == "gshard":
        return 0.5
    return dispatch.second_expert_threshold if dispatch.second_expert == "random" else None


def is_sent(second: Tensor, draws: Tensor, threshold: float) -> Tensor:
    """Return whether second experts of these weights are sent: with probability weight/threshold.

    Args:
        second: weights of second experts, after both are renormalized (T).
        draws: uniform numbers (T).
        threshold: 0.5 sends a weight of 0.1 in one of five cases; 0 sends all.
    """
    return draws < second / max(threshold, 1e-9)
