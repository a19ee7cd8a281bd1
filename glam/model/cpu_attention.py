"""Attention with full score matrices on a CPU, one sequence at a time.

The scores of one sequence fit in the processor's cache, those of a whole batch do not, and each
of the dozen operations on them would then go through main memory. So the scores of a sequence are
computed, turned into weights and used before those of the next one, forward and backward. The
matrix products, and so the FLOP, are the same.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class BiasedAttention(torch.autograd.Function):
    """softmax(q k' + bias) v, for queries that are already scaled.

    q, k and v are (B, h, S, d); the bias is (h, S, S) in float32, minus infinity where a query
    must not look. It is added in the format of the queries, and its gradient summed in float32.
    The weights (B, h, S, S) are kept for the backward pass, as autograd would keep them. With an
    extra logit of 0 in the softmax the weights are smaller; their gradients follow from them as
    without it, since that logit is constant and has no value.
    """

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, bias: Tensor, extra_logit: bool = False
    ) -> Tensor:
        """Return the weighted values (B, h, S, d)."""
        weights, bias = q.new_empty(len(q), *bias.shape), bias.to(q.dtype)
        mixed, scores = torch.empty_like(q, memory_format=torch.contiguous_format), q.new_empty(0)
        for i in range(len(q)):
            scores = torch.baddbmm(bias, q[i], k[i].transpose(1, 2), out=scores)
            torch.softmax(scores, -1, out=weights[i])
            if extra_logit:
                weights[i].mul_(_share_without_extra_logit(scores, weights[i]))
            torch.bmm(weights[i], v[i], out=mixed[i])
        ctx.save_for_backward(q, k, v, weights)
        return mixed

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor | None, None]:
        """Return the gradients of q, k, v and, if it is learned, the bias."""
        q, k, v, weights = ctx.saved_tensors
        q_grad, k_grad, v_grad = (
            torch.empty_like(x, memory_format=torch.contiguous_format) for x in (q, k, v)
        )
        scores = torch.empty_like(weights[0])
        bias_grad = (
            torch.zeros_like(scores, dtype=_sum_format(scores)) if ctx.needs_input_grad[3] else None
        )
        for i in range(len(q)):
            torch.bmm(weights[i].transpose(1, 2), grad[i], out=v_grad[i])
            torch.bmm(grad[i], v[i].transpose(1, 2), out=scores)
            torch._softmax_backward_data(scores, weights[i], -1, scores.dtype, grad_input=scores)
            if bias_grad is not None:
                bias_grad += scores
            torch.bmm(scores, k[i], out=q_grad[i])
            torch.bmm(scores.transpose(1, 2), q[i], out=k_grad[i])
        return q_grad, k_grad, v_grad, bias_grad, None


def _share_without_extra_logit(scores: Tensor, weights: Tensor) -> Tensor:
    """Return the sum of each row's weights once its softmax has an extra logit of 0 (h, S, 1).

    That is Z / (Z + 1) with Z the sum of exp(scores). The largest weight of a row is its largest
    exp(score) over Z, so 1/Z follows without another exponential of every score.
    """
    largest = scores.amax(-1, keepdim=True).to(_sum_format(scores))
    inverse = largest.neg_().exp_().mul_(weights.amax(-1, keepdim=True))
    return inverse.add_(1).reciprocal_()


def _sum_format(values: Tensor) -> torch.dtype:
    """Return the format in which values are summed: float32, or float64 where they are."""
    return torch.promote_types(values.dtype, torch.float32)
