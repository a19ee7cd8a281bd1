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

CHUNK_TOKENS = 1024
"""Tokens whose logits are in memory at the same time."""


class ChunkedCrossEntropy(torch.autograd.Function):
    """Mean cross-entropy of hidden states (T, M) with output embedding (V, M) and targets (T)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, output: Tensor, targets: Tensor) -> Tensor:
        """Return the loss, a scalar in nats per token; save both gradients for backward."""
        needs_grad = ctx.needs_input_grad[0] or ctx.needs_input_grad[1]
        dtype = x.dtype
        if torch.is_autocast_enabled(x.device.type):
            dtype = torch.get_autocast_dtype(x.device.type)
        weight = output.to(dtype)
        total = x.new_zeros((), dtype=torch.float32)
        x_grad = torch.empty_like(x) if needs_grad else None
        weight_grad = torch.zeros_like(output) if needs_grad else None
        scores = x.new_empty((min(CHUNK_TOKENS, len(x)), len(weight)), dtype=dtype)
        for start in range(0, len(x), CHUNK_TOKENS):
            rows = slice(start, start + CHUNK_TOKENS)
            chunk, target = x[rows].to(dtype), targets[rows, None]
            # One buffer serves all chunks: on CPUs, fresh pages cost more than the products.
            logits = torch.mm(chunk, weight.T, out=scores[: len(chunk)]).float()
            log_probabilities = torch.log_softmax(logits, -1, out=logits)
            total -= log_probabilities.gather(1, target).sum()
            if x_grad is not None and weight_grad is not None:
                # d loss / d logits = (softmax - one-hot) / T; backward() divides by T.
                error = log_probabilities.exp_()
                error.scatter_add_(1, target, -torch.ones_like(target, dtype=error.dtype))
                error = error.to(dtype)
                x_grad[rows] = error @ weight
                if dtype == weight_grad.dtype:
                    torch.addmm(weight_grad, error.T, chunk, out=weight_grad)
                else:
                    weight_grad += error.T @ chunk
        ctx.save_for_backward(x_grad, weight_grad)
        return total / len(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        """Return both gradients, computed in the forward pass, times the incoming one."""
        x_grad, weight_grad = ctx.saved_tensors
        scale = grad / len(x_grad)
        return x_grad * scale, weight_grad * scale, None
