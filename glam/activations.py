"""The activations of feed-forward networks and experts, by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import gelu, relu

from glam.architecture import Activation

ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "gelu": gelu,
    "gelu_tanh": partial(gelu, approximate="tanh"),
    "relu": partial(relu, inplace=True),
}
"""Each is applied to a tensor that nothing else reads, which it may overwrite."""


SLOPE, CUBIC = 2 * math.sqrt(2 / math.pi), 0.044715
"""GELU by its tanh approximation (arXiv:1606.08415) is x / (1 + exp(-SLOPE (x + CUBIC x^3)))."""


BLOCK_VALUES = 2**16
"""Values whose dozen intermediate results stay in the cache of a core."""


def _gated_gelu_tanh(gate: Tensor, up: Tensor) -> Tensor:
    if gate.device.type != "cpu":
        return ACTIVATIONS["gelu_tanh"](gate) * up
    hidden: Tensor = GatedGelu.apply(gate, up)
    return hidden


GATED: dict[Activation, Callable[[Tensor, Tensor], Tensor]] = {
    "gelu": lambda gate, up: gelu(gate) * up,
    "gelu_tanh": _gated_gelu_tanh,
    "relu": lambda gate, up: relu(gate) * up,
}
"""Activation of the first, times the second."""


class GatedGelu(torch.autograd.Function):
    """GELU(gate) * up on a CPU, by its tanh approximation.

    torch's operation takes a tanh in each direction, which took 4 % of a dense step. Here one
    sigmoid gives the value and the derivative, block by block, in float32 whatever the format.
    """

    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        """Return the product of the same size; keep what its gradients are multiplied with."""
        out, needs_grad = torch.empty_like(gate), any(ctx.needs_input_grad)
        value, slope = (torch.empty_like(gate) if needs_grad else None for _ in range(2))
        parts = [tensor.view(-1) for tensor in (gate.contiguous(), up.contiguous(), out)]
        for start in range(0, gate.numel(), BLOCK_VALUES):
            block = slice(start, start + BLOCK_VALUES)
            x, factor = parts[0][block].float(), parts[1][block]
            y, derivative = gelu_and_derivative(x, derivative=needs_grad)
            torch.mul(y, factor, out=parts[2][block])
            if value is not None and slope is not None and derivative is not None:
                value.view(-1)[block] = y
                torch.mul(derivative, factor, out=slope.view(-1)[block])
        ctx.save_for_backward(value, slope)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradients of both factors."""
        value, slope = ctx.saved_tensors
        return grad * slope, grad * value


def gelu_and_derivative(x: Tensor, *, derivative: bool) -> tuple[Tensor, Tensor | None]:
    """Return GELU of x by its tanh approximation, with or without its derivative.

    With s = sigmoid(z) and z = x (A + B x^2): GELU = x s, and its derivative is
    s + x s (1 - s) (A + 3 B x^2). At 1: 0.84119 and 1.08296.
    """
    factor = x.square().mul_(CUBIC * SLOPE).add_(SLOPE)
    share = torch.mul(x, factor).sigmoid_()
    y = x * share
    if not derivative:
        return y, None
    slope = factor.mul_(3).sub_(2 * SLOPE).mul_(y)
    slope.addcmul_(slope, share, value=-1)
    return y, slope.add_(share)
