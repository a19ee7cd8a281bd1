"""Causal self-attention, with a bucketed relative position bias in every layer of a GLaM.

GLaM adds no positions to its input; each layer learns one scalar per head and distance bucket, as
in T5 (arXiv:1910.10683, section 2.1). A GPT adds positions to its input and has no bias here.
Legend: B sequences, S positions, M model width, h heads, d head width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, pad

from energy.shape import Shape
from glam.architecture import Architecture
from glam.model.branches import Branches
from glam.model.cpu_attention import BiasedAttention
from glam.model.key_values import KeyValues
from glam.precision import linear

MAX_DISTANCE = 128
"""Distances from here on share one bucket, as in T5."""


class Attention(nn.Module):
    """Softmax attention over the current and all earlier positions.

    With an extra logit, of 0, the weights of a query sum to less than 1, and to almost 0 where all
    its scores are far below 0.

    The full S x S score matrices are computed and then masked, which is what
    `energy.flops.forward_flop` counts with the convention "full".
    """

    def __init__(self, shape: Shape, architecture: Architecture) -> None:
        super().__init__()
        self.scale_queries, self.extra_logit = architecture.scale_queries, architecture.extra_logit
        self.n_heads, self.d_head = int(shape.n_heads), int(shape.d_head)
        width, inner = int(shape.d_model), self.n_heads * self.d_head
        self.query, self.key, self.value = (nn.Linear(width, inner, bias=False) for _ in range(3))
        self.output = nn.Linear(inner, width, bias=False)
        learned = torch.zeros(int(shape.relative_buckets), self.n_heads)
        self.bias = nn.Parameter(learned) if len(learned) else None

    def forward(
        self, x: Tensor, past: KeyValues | None = None, branches: Branches | None = None
    ) -> Tensor:
        """Attend within each sequence of x (B, S, M).

        Args:
            x: normalized input.
            past: keys and values of the sequences without those of x, which are added: x is
                their beginning, or the next token of each.
            branches: of rows that are several sequences with a common beginning.
        """
        batch, seq, _ = x.shape
        q, k, v = (
            linear(x, project.weight).view(batch, seq, self.n_heads, self.d_head).transpose(1, 2)
            for project in (self.query, self.key, self.value)
        )
        # Scaling q rather than the scores, and adding the bias in place, each save a memory pass.
        if self.scale_queries:
            q = q / math.sqrt(self.d_head)
        if past is not None:
            if not past.places.begins:
                mixed = self._attend(q, *past.append(k, v), past.newest_bias())
                return linear(mixed.reshape(batch, seq, -1), self.output.weight)
            past.begin(k, v)
        if branches is not None:
            mixed = self._attend(q, k, v, self._bias_of(branches))
        elif x.device.type == "cpu":
            bias = self.position_bias(seq, x.device)
            mixed = BiasedAttention.apply(q, k, v, bias, self.extra_logit)
        else:
            scores = (q @ k.transpose(-2, -1)).float() + self.position_bias(seq, x.device)
            mixed = attention_weights(scores, self.extra_logit).to(v.dtype) @ v
        return linear(mixed.transpose(1, 2).reshape(batch, seq, -1), self.output.weight)

    def _attend(self, q: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None) -> Tensor:
        """Return the weighted values (B, h, S, d), without a gradient."""
        scores = q @ keys.transpose(2, 3)
        if bias is not None:
            scores += bias
        return attention_weights(scores, self.extra_logit) @ values

    def key_values(self, rows: int, positions: int) -> KeyValues:
        """Return an empty store for the keys and values of so many tokens of each sequence."""
        device = self.query.weight.device
        bias = None if self.bias is None else self.bias_by_distance(self.bias, positions)
        return KeyValues(rows, self.n_heads, positions, self.d_head, bias, device)

    def _bias_of(self, branches: Branches) -> Tensor:
        learned = self.bias
        return branches.bias(
            None if learned is None else self.bias_by_distance(learned, branches.longest)
        )

    @staticmethod
    def bias_by_distance(bias: Tensor, positions: int) -> Tensor:
        """Return the bias of each head (h, S) by distance, from a learned one by bucket."""
        distance = torch.arange(positions, device=bias.device)
        return embedding(distance_buckets(distance, len(bias)), bias).T

    def position_bias(self, seq: int, device: torch.device) -> Tensor:
        """Return the bias of each head by query and key (h, S, S); minus infinity in the future.

        Entry (i, j) depends only on i - j, so one line of 2S values is repeated S times and cut
        into rows of 2S - 1, each shifted by one against the row above. Its gradient is a sum over
        rows, while a lookup of S x S distances would need a scatter-add.
        """
        if self.bias is None:
            future = torch.full((seq, seq), float("-inf"), device=device).triu(1)
            return future.expand(self.n_heads, -1, -1)
        learned = self.bias_by_distance(self.bias, seq)
        future = learned.new_full((len(learned), seq), float("-inf"))
        line = torch.cat([learned[:, :1], future, learned[:, 1:].flip(1)], dim=1)
        rows = line.unsqueeze(1).expand(-1, seq, -1).reshape(len(line), -1)
        return rows[:, : seq * (2 * seq - 1)].view(-1, seq, 2 * seq - 1)[..., :seq]


def attention_weights(scores: Tensor, extra_logit: bool) -> Tensor:
    """Return the softmax of scores (..., S, S) over keys, with one more logit of 0 or without.

    Scores of 0 and 0: weights 1/3 and 1/3 with the extra logit, 1/2 and 1/2 without.
    """
    if not extra_logit:
        return scores.softmax(-1)
    return pad(scores, (0, 1)).softmax(-1)[..., :-1]


def distance_buckets(distance: Tensor, n_buckets: int, max_distance: int = MAX_DISTANCE) -> Tensor:
    """Return the bucket of each distance to an earlier position.

    The first half of the buckets hold one distance each; the second half are logarithmic up to
    `max_distance`, beyond which all distances share the last one. Negative distances (future
    positions) fall in bucket 0; attention masks them. With 32 buckets, distances 0 to 16 have
    buckets 0 to 16, and 113 and above bucket 31.
    """
    exact = n_buckets // 2
    past = distance.clamp(min=0)
    ratio = torch.log(past.clamp(min=exact).float() / exact) / math.log(max_distance / exact)
    far = exact + (ratio * (n_buckets - exact)).long()
    return torch.where(past < exact, past, far.clamp(max=n_buckets - 1))
