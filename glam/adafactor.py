"""Adafactor as GLaM's authors have it: the sharded Adafactor of GShard, in Praxis 1.4.0.

The algorithm is that of arXiv:1804.04235 without momentum. Of a tensor of two dimensions or more,
the second moment is factored over the last two, whatever their sizes; size of the weight and root
mean square of the update are those of the whole tensor of one layer, all its experts together.

`torch.optim.Adafactor` computes the same where gradients are large. It divides by a mean square of
at least 1.2e-7, so that where the root mean square of a gradient is below 3e-4, as in most tensors
of a language model, its updates are larger until they are clipped; here that floor is 1e-30.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from glam.recipe import SecondMomentDecay

SQUARE_FLOOR = 1e-30
"""Added to the mean square of every gradient."""


SCALE_FLOOR = 1e-3
"""Least size of a weight that its update is relative to."""


ADAM_DECAY = 0.99
"""Second-moment decay of GLaM."""


Steps = TypeVar("Steps", float, Tensor)


class Shards(Protocol):
    """How a weight is divided among processes, of which each updates its own part."""

    shape: torch.Size

    def sum(self, values: Tensor, dims: Iterable[int] | None = None) -> Tensor:
        """Add values over the processes that divide these dimensions, or any, and return them."""
        ...


class Adafactor(Optimizer):
    """Adafactor with factored second moments and updates clipped to root mean square 1.

    A step overwrites the gradients: they become the updates. With `found_inf`, as torch's fused
    optimizers have it, a step changes nothing where that tensor is 1, and nothing waits for it.

    Args:
        parameters: weights to update.
        lr: learning rate, relative to the size of each weight; set it before each step.
        decay: power or adam, see `second_moment_decay`.
        shards: of weights of which this process has a part.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        decay: SecondMomentDecay = "power",
        shards: Mapping[nn.Parameter, Shards] | None = None,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "decay": decay})
        self._shards = shards or {}
        self.found_inf: Tensor | None = None

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Update every weight that has a gradient; a closure is not called."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._update(weight, group["lr"], group["decay"])

    def _update(self, weight: Tensor, rate: float, decay: SecondMomentDecay) -> None:
        state, gradient = self.state[weight], cast(Tensor, weight.grad)
        shards = self._shards.get(cast(nn.Parameter, weight))
        if not state:
            state["step"] = torch.zeros(())
            state |= _second_moments(weight)
        skip = self.found_inf
        mixing = _next_mixing(state, decay, skip)
        if "variance" in state:
            _mix(state["variance"], gradient.square().add_(SQUARE_FLOOR), mixing, skip)
            update = gradient.mul_(state["variance"].rsqrt())
        else:
            row, column = state["row_var"], state["col_var"]
            _mix(row, _mean_square(gradient, -1, shards), mixing, skip)
            _mix(column, _mean_square(gradient, -2, shards), mixing, skip)
            update = gradient.mul_((_mean_over_rows(row, shards) / row).sqrt_())
            update.mul_(column.rsqrt())
        if skip is not None:
            update = update.masked_fill_(skip > 0, 0)
        scale = _root_mean_square(weight, shards).clamp_(min=SCALE_FLOOR)
        clipping = _root_mean_square(update, shards).clamp_(min=1.0)
        weight.addcmul_(update, scale / clipping, value=-rate)


def _next_mixing(
    state: dict[str, Tensor], decay: SecondMomentDecay, skip: Tensor | None
) -> float | Tensor:
    """Count a step, unless it is skipped, and return the weight of its squares."""
    if skip is None:
        state["step"] += 1
        return 1 - second_moment_decay(decay, int(state["step"]))
    state["step"] = state["step"].to(skip.device) + (1 - skip)
    return 1 - second_moment_decay(decay, state["step"])


def _mix(moment: Tensor, squares: Tensor, mixing: float | Tensor, skip: Tensor | None) -> None:
    """Move a moment towards new squares, unless the step is skipped."""
    if skip is None:
        moment.lerp_(squares, mixing)
    else:
        moment.copy_(torch.where(skip > 0, moment, moment.lerp(squares, mixing)))


def second_moment_decay(decay: SecondMomentDecay, step: Steps) -> Steps:
    """Return beta_2 of a step, counted from 1.

    power: 1 - t^-0.8. adam: 0.99 (1 - 0.99^(t-1)) / (1 - 0.99^t), which corrects 0.99 for its
    start from 0. Step 1: 0 both; step 2: 0.426 and 0.497; step 1,000: 0.996 and 0.990.
    """
    if decay == "power":
        power: Steps = 1 - step**-0.8
        return power
    adam: Steps = ADAM_DECAY * (1 - ADAM_DECAY ** (step - 1)) / (1 - ADAM_DECAY**step)
    return adam


def _second_moments(weight: Tensor) -> dict[str, Tensor]:
    """Return zeros for the second moments of a tensor (..., n, m), named as torch names them."""
    if weight.dim() < 2:
        return {"variance": torch.zeros_like(weight)}
    *leading, n, m = weight.shape
    return {
        "row_var": weight.new_zeros(*leading, n, 1),
        "col_var": weight.new_zeros(*leading, 1, m),
    }


def _mean_square(gradient: Tensor, dim: int, shards: Shards | None) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(gradient, dim=dim, keepdim=True)
    square, size = norm.square_(), gradient.shape[dim]
    if shards is not None:
        square, size = shards.sum(square, [dim]), shards.shape[dim]
    return square.div_(size).add_(SQUARE_FLOOR)


def _mean_over_rows(row: Tensor, shards: Shards | None) -> Tensor:
    if shards is None:
        return row.mean(-2, keepdim=True)
    return shards.sum(row.sum(-2, keepdim=True), [-2]) / shards.shape[-2]


def _root_mean_square(tensor: Tensor, shards: Shards | None) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(tensor)
    if shards is None:
        return norm.div_(tensor.numel() ** 0.5)
    return shards.sum(norm.square_()).div_(shards.shape.numel()).sqrt_()
