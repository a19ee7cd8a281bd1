"""The loss of a sequence without ever holding the logits of a whole batch.

For a chunk of tokens at a time the logits, the loss and, when gradients are wanted, both gradients
are computed and the logits forgotten (as in Liger-Kernel, arXiv:2410.10989), so memory is
chunk * V in the place of T * V and no product is done twice.
Legend: T tokens, M width, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

CHUNK_TOKENS = 1024
"""Tokens whose logits stand in memory at one time."""


class ChunkedCrossEntropy(torch.autograd.Function):
    """Mean cross-entropy of x (T, M) against targets (T) with an output embedding (V, M)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, output: Tensor, targets: Tensor) -> Tensor:
        """The loss, a scalar in nats a token; both gradients are kept for the backward pass."""
        wanted = ctx.needs_input_grad[0] or ctx.needs_input_grad[1]
        kind = x.dtype
        if torch.is_autocast_enabled(x.device.type):
            kind = torch.get_autocast_dtype(x.device.type)
        weight = output.to(kind)
        total = x.new_zeros((), dtype=torch.float32)
        x_grad = torch.empty_like(x) if wanted else None
        weight_grad = torch.zeros_like(output) if wanted else None
        scores = x.new_empty((min(CHUNK_TOKENS, len(x)), len(weight)), dtype=kind)
        for start in range(0, len(x), CHUNK_TOKENS):
            rows = slice(start, start + CHUNK_TOKENS)
            chunk, target = x[rows].to(kind), targets[rows, None]
            # One buffer serves all chunks: fresh pages cost more than the products on CPUs.
            logits = torch.mm(chunk, weight.T, out=scores[: len(chunk)]).float()
            chances = torch.log_softmax(logits, -1, out=logits)
            total -= chances.gather(1, target).sum()
            if x_grad is not None and weight_grad is not None:
                # d loss / d logits = (softmax - one-hot) / T; the 1 / T waits for the end.
                error = chances.exp_()
                error.scatter_add_(1, target, -torch.ones_like(target, dtype=error.dtype))
                error = error.to(kind)
                x_grad[rows] = error @ weight
                if kind == weight_grad.dtype:
                    torch.addmm(weight_grad, error.T, chunk, out=weight_grad)
                else:
                    weight_grad += error.T @ chunk
        ctx.save_for_backward(x_grad, weight_grad)
        return total / len(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        """Both gradients, computed in the forward pass, times the one that comes in."""
        x_grad, weight_grad = ctx.saved_tensors
        share = grad / len(x_grad)
        return x_grad * share, weight_grad * share, None
