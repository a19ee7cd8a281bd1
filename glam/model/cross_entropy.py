"""Cross-entropy that never holds the logits of a whole batch in memory.

One chunk of tokens at a time, the logits, the loss and (if needed) both gradients are computed
and the logits discarded, as in Liger-Kernel (arXiv:2410.10989). Memory is chunk * V instead of
T * V, and no product is computed twice.
Legend: T tokens, M model width, V vocabulary size.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from glam.precision import copy_in_format

CHUNK_TOKENS = 1024
"""Tokens whose logits are in memory at the same time."""


class ChunkedCrossEntropy(torch.autograd.Function):
    """Mean cross-entropy of hidden states (T, M) with output embedding (V, M) and targets (T).

    With a weight w of the z-loss, gradients are those of the cross-entropy plus w times the mean
    square of the log-partition of the logits (arXiv:2204.02311, section 5), which keeps it near 0.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, output: Tensor, targets: Tensor, z_weight: float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """Return loss in nats per token and z-loss, without its weight; save both gradients.

        The products are in the format of x, all else in float32. The z-loss is 0 where its
        weight is.
        """
        needs_grad = ctx.needs_input_grad[0] or ctx.needs_input_grad[1]
        dtype = x.dtype
        weight = copy_in_format(output.detach(), dtype, of=output)
        total, square = x.new_zeros(2, dtype=torch.float32).unbind()
        x_grad = torch.empty_like(x) if needs_grad else None
        weight_grad = torch.zeros_like(output) if needs_grad else None
        scores = x.new_empty((min(CHUNK_TOKENS, len(x)), len(weight)), dtype=dtype)
        for start in range(0, len(x), CHUNK_TOKENS):
            rows = slice(start, start + CHUNK_TOKENS)
            chunk, target = x[rows], targets[rows, None]
            # One buffer serves all chunks: on CPUs, fresh pages cost more than the products.
            logits = torch.mm(chunk, weight.T, out=scores[: len(chunk)])
            chosen, largest = logits.gather(1, target), logits.amax(1, keepdim=True).float()
            probabilities = softmax(logits)
            # The largest logit over its probability: no second exponential of every logit.
            log_partition = largest - probabilities.amax(1, keepdim=True).log_()
            total += (log_partition - chosen).sum()
            if z_weight:
                square += log_partition.square().sum()
            if x_grad is not None and weight_grad is not None:
                # d loss / d logits = (softmax - one-hot) / T, and that of the z-loss
                # 2 * log-partition * softmax / T; backward() divides by T.
                error = probabilities
                if z_weight:
                    error.mul_(log_partition.mul_(2 * z_weight).add_(1))
                error.scatter_add_(1, target, -torch.ones_like(target, dtype=error.dtype))
                error = error.to(dtype)
                x_grad[rows] = error @ weight
                if dtype == weight_grad.dtype:
                    torch.addmm(weight_grad, error.T, chunk, out=weight_grad)
                else:
                    weight_grad += error.T @ chunk
        ctx.save_for_backward(x_grad, weight_grad)
        z_loss = square / len(x)
        ctx.mark_non_differentiable(z_loss)
        return total / len(x), z_loss

    @staticmethod
    def backward(ctx: Any, grad: Tensor, z_grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """Return both gradients, computed in the forward pass, times the incoming one."""
        x_grad, weight_grad = ctx.saved_tensors
        scale = grad / len(x_grad)
        return x_grad * scale, weight_grad * scale, None, None


def softmax(logits: Tensor) -> Tensor:
    """Return the softmax of logits (T, V) in float32, in place where they are float32."""
    if logits.dtype == torch.float32:
        return torch.softmax(logits, -1, out=logits)
    values = logits.float()
    return torch.softmax(values, -1, out=values)
