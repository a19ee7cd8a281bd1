"""Adafactor as GLaM's authors have it: the sharded Adafactor of GShard, in Praxis 1.4.0.

The algorithm is that of arXiv:1804.04235 without momentum. Of a tensor of two dimensions or more,
the second moment is factored over the last two, whatever their sizes; size of the weight and root
mean square of the update are those of the whole tensor of one layer, all its experts together.

`torch.optim.Adafactor` computes the same where gradients are large. It divides by a mean square of
at least 1.2e-7, so that where the root mean square of a gradient is below 3e-4, as in most tensors
of a language model, its updates are larger until they are clipped; here that floor is 1e-30.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar, cast

import torch
from torch import Tensor, nn

from glam.recipe import SecondMomentDecay
from glam.uncompiled import Uncompiled

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

    def sum_together(self, sums: Sequence[tuple[Tensor, Any, Iterable[int] | None]]) -> None:
        """Add values in place over the processes that divide these dimensions, or any.

        Args:
            sums: values, of which shards, and dimensions; those of all weights in few messages.
        """
        ...


Sums = list[tuple[Tensor, Iterable[int] | None]]
"""Values of a weight to add up over the processes that divide some dimensions of it, or any."""


class Adafactor(Uncompiled):
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
        divided: list[tuple[Iterator[Sums], Shards]] = []
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                updating = self._update(weight, group["lr"], group["decay"])
                if shards := self._shards.get(weight):
                    divided.append((updating, shards))
                else:
                    for _ in updating:
                        pass
        # Weights that are divided go on step by step together, so that their sums share a message.
        while divided:
            wanted = [(next(updating, None), updating, shards) for updating, shards in divided]
            divided = [(updating, shards) for sums, updating, shards in wanted if sums is not None]
            together = [(v, shards, dims) for sums, _, shards in wanted for v, dims in sums or ()]
            if together:
                divided[0][1].sum_together(together)

    def _update(self, weight: Tensor, rate: float, decay: SecondMomentDecay) -> Iterator[Sums]:
        """Update a weight, and yield what is to be added up over the processes that divide it."""
        state, gradient = self.state[weight], cast(Tensor, weight.grad)
        shards = self._shards.get(cast(nn.Parameter, weight))
        shape = weight.shape if shards is None else shards.shape
        if not state:
            state["step"] = torch.zeros(())
            state |= _second_moments(weight)
        skip = self.found_inf
        mixing = _next_mixing(state, decay, skip)
        size = _sum_of_squares(weight)
        if "variance" in state:
            _mix(state["variance"], gradient.square().add_(SQUARE_FLOOR), mixing, skip)
            update = gradient.mul_(state["variance"].rsqrt())
        else:
            row, column = state["row_var"], state["col_var"]
            squares = {dim: _sum_of_squares(gradient, dim) for dim in (-1, -2)}
            yield [(squares[dim], [dim]) for dim in squares]
            _mix(row, squares[-1].div_(shape[-1]).add_(SQUARE_FLOOR), mixing, skip)
            _mix(column, squares[-2].div_(shape[-2]).add_(SQUARE_FLOOR), mixing, skip)
            rows = row.sum(-2, keepdim=True)
            yield [(rows, [-2])]
            update = gradient.mul_((rows / shape[-2] / row).sqrt_())
            update.mul_(column.rsqrt())
        if skip is not None:
            update = update.masked_fill_(skip > 0, 0)
        change = _sum_of_squares(update)
        yield [(size, None), (change, None)]
        count = shape.numel()
        scale = size.div_(count).sqrt_().clamp_(min=SCALE_FLOOR)
        clipping = change.div_(count).sqrt_().clamp_(min=1.0)
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


def _sum_of_squares(tensor: Tensor, dim: int | None = None) -> Tensor:
    """Return the sum of squares of all values, or along a dimension, which is kept."""
    norm: Tensor = torch.linalg.vector_norm(tensor, dim=dim, keepdim=dim is not None)
    return norm.square_()
