"""Copies of tokens sorted by expert, and their weighted sum: one pass over memory each way.

Written out, a copy is three operations whose backward passes scatter and add; here each direction
is one gather, or one sum of a token's K rows in the order of its choices, so that results are
repeatable bit for bit. `place` tells where a token's k-th copy lies among the rows, `token` whose
copy a row is. Where some choices found no row, `kept` is false, and their weight is 0; a row that
nobody's choice lies in holds any token.
Legend: T tokens, M width, K chosen, R rows, T * K without a limit.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import embedding_bag


class Spread(torch.autograd.Function):
    """Copies of tokens, in the order of the rows."""

    @staticmethod
    def forward(
        ctx: Any, tokens: Tensor, token: Tensor, place: Tensor, kept: Tensor | None
    ) -> Tensor:
        """Rows (R, M) of tokens (T, M), with `token` (R), `place` (T, K) and `kept` (T, K)."""
        ctx.save_for_backward(place, kept)
        return tokens.index_select(0, token)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        """The sum over a token's copies that are kept."""
        place, kept = ctx.saved_tensors
        shares = None if kept is None else kept.to(grad.dtype)
        by_token = embedding_bag(place, grad, mode="sum", per_sample_weights=shares)
        return by_token, None, None, None


class Mix(torch.autograd.Function):
    """The weighted sum of each token's K rows."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weights: Tensor, token: Tensor, place: Tensor) -> Tensor:
        """Sum (T, M) of rows (R, M) by weights (T, K), with `token` (R) and `place` (T, K)."""
        weights = weights.to(rows.dtype)
        ctx.save_for_backward(rows, weights, token, place)
        return embedding_bag(place, rows, mode="sum", per_sample_weights=weights)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """Gradients of rows and weights, from that of the sum (T, M)."""
        rows, weights, token, place = ctx.saved_tensors
        copies = grad.index_select(0, token)
        weights_grad = torch.linalg.vecdot(copies, rows)[place]
        # Choices that are not kept weigh 0, so that adding them to a row of others is nothing.
        by_row = weights.new_zeros(len(rows)).scatter_add_(0, place.view(-1), weights.view(-1))
        return copies.mul_(by_row.unsqueeze(1)), weights_grad, None, None
