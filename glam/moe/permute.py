"""Permutation of tokens into rows sorted by expert, and the weighted combination of these rows.

With plain autograd, a permutation is three operations whose backward passes scatter and add. Here
each direction is one gather, or one sum over a token's K rows in the order of its choices, so
results are repeatable bit for bit. `rows_of_token` is the row of each token's k-th copy,
`token_of_row` the token that each row is a copy of. Choices that got no row are not `kept` and
have weight 0; a row that belongs to no choice may be a copy of any token.
Legend: T tokens, M model width, K experts per token, R rows; R = T * K without a capacity limit.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import embedding_bag


class Permute(torch.autograd.Function):
    """Copies of tokens in the order of the rows."""

    @staticmethod
    def forward(
        ctx: Any, tokens: Tensor, token_of_row: Tensor, rows_of_token: Tensor, kept: Tensor | None
    ) -> Tensor:
        """Return the rows (R, M) of tokens (T, M).

        Args:
            ctx: autograd context.
            tokens: hidden states (T, M).
            token_of_row: token of each row (R).
            rows_of_token: rows of each token (T, K).
            kept: which choices have a row (T, K); None if all have one.
        """
        ctx.save_for_backward(rows_of_token, kept)
        return tokens.index_select(0, token_of_row)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        """Return the sum of the gradients of each token's kept copies (T, M)."""
        rows_of_token, kept = ctx.saved_tensors
        weights = None if kept is None else kept.to(grad.dtype)
        tokens_grad = embedding_bag(rows_of_token, grad, mode="sum", per_sample_weights=weights)
        return tokens_grad, None, None, None


class Combine(torch.autograd.Function):
    """The weighted sum of each token's K rows."""

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, weights: Tensor, token_of_row: Tensor, rows_of_token: Tensor
    ) -> Tensor:
        """Return the sums (T, M) of rows (R, M) with weights (T, K)."""
        weights = weights.to(rows.dtype)
        ctx.save_for_backward(rows, weights, token_of_row, rows_of_token)
        return embedding_bag(rows_of_token, rows, mode="sum", per_sample_weights=weights)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """Return the gradients of rows and weights for that of the sums (T, M)."""
        rows, weights, token_of_row, rows_of_token = ctx.saved_tensors
        copies = grad.index_select(0, token_of_row)
        weights_grad = torch.linalg.vecdot(copies, rows)[rows_of_token]
        # Choices that are not kept have weight 0, so adding them to another choice's row is safe.
        row_weights = weights.new_zeros(len(rows)).scatter_add_(
            0, rows_of_token.view(-1), weights.view(-1)
        )
        return copies.mul_(row_weights.unsqueeze(1)), weights_grad, None, None
