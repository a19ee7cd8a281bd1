"""Normalization in float32: RMSNorm as in GLaM, LayerNorm as in GPT.

With plain autograd, the forward and backward passes of RMSNorm are some fifteen operations, each a
pass through memory, and took a twentieth of a training step on a CPU. Here they are eleven.
Legend: T positions, M model width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import layer_norm

from energy.shape import Shape

EPSILON = 1e-6


LAYER_EPSILON = 1e-5
"""Epsilon of LayerNorm in GPT-2."""


def build_norm(shape: Shape) -> RMSNorm | LayerNorm:
    """Build the norm of a shape: RMSNorm has one learned vector, LayerNorm two."""
    return (RMSNorm if shape.norm_vectors == 1 else LayerNorm)(int(shape.d_model))


class RMSNorm(nn.Module):
    """Divide by the root mean square, then scale (arXiv:1910.07467)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Normalize the last dimension of x (..., M), float32; the result is in a format."""
        if x.device.type == "cpu":
            rows: Tensor = RMSNormFunction.apply(x.reshape(-1, x.shape[-1]), self.scale, dtype)
            return rows.view(x.shape)
        inverse = torch.rsqrt(x.square().mean(-1, keepdim=True) + EPSILON)
        return (x * inverse * self.scale).to(dtype)


class LayerNorm(nn.Module):
    """Normalize to mean 0 and variance 1, then scale and shift (arXiv:1607.06450)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale, self.shift = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Normalize the last dimension of x (..., M), float32; the result is in a format."""
        return layer_norm(x, self.scale.shape, self.scale, self.shift, LAYER_EPSILON).to(dtype)


class RMSNormFunction(torch.autograd.Function):
    """y = x r s with r = 1 / sqrt(mean of x^2 + 1e-6), for rows x (T, M) and a scale s (M)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Return the normalized rows (T, M), in the format of x by default."""
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        inverse = length.square_().div_(x.shape[-1]).add_(EPSILON).rsqrt_()
        ctx.save_for_backward(x, scale, inverse)
        return torch.mul(x, inverse).mul_(scale).to(dtype or x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        """With u = x r: dx = r (g s - u mean(g s u)), and ds = sum over rows of g u."""
        x, scale, inverse = ctx.saved_tensors
        unit = x * inverse
        product = grad * unit
        scale_grad = product.sum(0)
        projection = (product @ scale).div_(len(scale)).unsqueeze(1)
        x_grad = torch.mul(grad, scale, out=product)
        return x_grad.addcmul_(unit, projection, value=-1).mul_(inverse), scale_grad, None
