"""Attention of whole score matrices on a CPU, one sequence at a time.

The scores of one sequence fit in a processor's cache, those of a batch do not: what stands as one
line over all of them sends each of its dozen passes through memory. Here a sequence's scores are
made, turned into weights and used before the next one's begin, forward and backward. Products,
and so FLOP, are the same.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class BiasedAttention(torch.autograd.Function):
    """softmax(q k' + bias) v of float32 queries that are scaled already.

    q, k, v are (B, h, S, d); the bias is (h, S, S), minus infinity where a query may not look. The
    weights (B, h, S, S) are kept for the backward pass, as autograd keeps them.
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        """Weighted values (B, h, S, d)."""
        weights = q.new_empty(len(q), *bias.shape)
        mixed, scores = torch.empty_like(q, memory_format=torch.contiguous_format), q.new_empty(0)
        for i in range(len(q)):
            scores = torch.baddbmm(bias, q[i], k[i].transpose(1, 2), out=scores)
            torch.softmax(scores, -1, out=weights[i])
            torch.bmm(weights[i], v[i], out=mixed[i])
        ctx.save_for_backward(q, k, v, weights)
        return mixed

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Gradients of queries, keys, values and, where it is learned, bias."""
        q, k, v, weights = ctx.saved_tensors
        by_q, by_k, by_v = (
            torch.empty_like(x, memory_format=torch.contiguous_format) for x in (q, k, v)
        )
        scores = torch.empty_like(weights[0])
        by_bias = torch.zeros_like(weights[0]) if ctx.needs_input_grad[3] else None
        for i in range(len(q)):
            torch.bmm(weights[i].transpose(1, 2), grad[i], out=by_v[i])
            torch.bmm(grad[i], v[i].transpose(1, 2), out=scores)
            torch._softmax_backward_data(scores, weights[i], -1, scores.dtype, grad_input=scores)
            if by_bias is not None:
                by_bias += scores
            torch.bmm(scores, k[i], out=by_q[i])
            torch.bmm(scores.transpose(1, 2), q[i], out=by_k[i])
        return by_q, by_k, by_v, by_bias
