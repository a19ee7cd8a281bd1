"""The number format of products: which one a run computes in, and the weights in that format.

Weights, optimizer, norms, router and loss are float32 in every run. With bfloat16, activations and
the factors of all other products are bfloat16, as in GLaM, and the gradients that products return
for weights are summed in float32.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast, get_args

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.utils.weak import WeakTensorKeyDictionary

from glam.device import synchronizer
from glam.recipe import Precision, require_known

DTYPES: dict[Precision, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16}
"""Data type of each format."""


MIN_GAIN = 1.3
"""Products in bfloat16 must be so many times faster than in float32 for a CPU to use them; what
is not a product is no faster."""


PROBED, TURNS = (4096, 256, 256), 6
"""Size of the product that chooses a format, and how often both formats are timed."""


SMALL = 192
"""Size n of a square product that takes milliseconds even where bfloat16 is emulated."""


EMULATED = 5
"""So many times slower than in float32, a small product in bfloat16 is emulated."""


PEAK_SIZES = {
    "cpu": ((1536, 1536, 1536), (512, 256, 768), (4096, 256, 256)),
    "cuda": ((8192, 8192, 8192),),
}
"""Sizes (m, n, k) of products of which the fastest counts as the peak of a device."""


_copies = WeakTensorKeyDictionary()
"""Of each weight: its version, its address, and its copy in another format."""


def choose_precision(wanted: str, device: torch.device) -> Precision:
    """Return the format of a run: the one wanted, or with auto what suits the device.

    GPUs compute in bfloat16. On a CPU a product is timed in both formats, since what a processor
    promises says little: without instructions of its own, bfloat16 may be 100 times slower.

    Raises:
        InputError: there is no such format.
    """
    require_known("precision", wanted, get_args(Precision))
    if wanted != "auto":
        return cast(Precision, wanted)
    if device.type != "cpu":
        return "bfloat16"
    # Small products say no more than whether bfloat16 is emulated; large ones would take seconds.
    small = (SMALL,) * 3
    if _gain(device, small) < 1 / EMULATED:
        return "float32"
    return "bfloat16" if _gain(device, PROBED) >= MIN_GAIN else "float32"


def _gain(device: torch.device, size: tuple[int, ...]) -> float:
    """Return how many times faster a product is in bfloat16, both timed in turns."""
    turns = [[_seconds(name, device, size) for name in DTYPES] for _ in range(TURNS)]
    single, half = (min(seconds) for seconds in zip(*turns, strict=True))
    return float(single / half)


def former_precision(device: torch.device) -> Precision:
    """Return the format of every run on a device before it could be chosen."""
    return "float32" if device.type == "cpu" else "bfloat16"


def best_product_flop_per_s(device: torch.device, precision: Precision) -> float:
    """Measure the FLOP/s of the fastest product, the peak that MFU and HFU refer to.

    Each of `PEAK_SIZES` is run several times after one run to warm up, all in well under a second,
    and the fastest run counts: other work on the machine can only slow one down.
    """
    return max(
        2 * size[0] * size[1] * size[2] / _seconds(precision, device, size)
        for size in PEAK_SIZES[device.type]
    )


def _seconds(precision: Precision, device: torch.device, size: tuple[int, ...]) -> float:
    """Return the shortest time of a product in a format."""
    m, n, k = size
    a = torch.ones(m, k, device=device, dtype=DTYPES[precision])
    b = torch.ones(n, k, device=device, dtype=DTYPES[precision])
    wait: Callable[[], None] = synchronizer(device) or (lambda: None)
    seconds = []
    for _ in range(6):
        wait()
        begun = time.perf_counter()
        a @ b.T
        wait()
        seconds.append(time.perf_counter() - begun)
    return min(seconds[1:])


def linear(x: Tensor, weight: Tensor) -> Tensor:
    """Return x W' in the format of x (..., M), for a float32 weight W (N, M)."""
    return torch.nn.functional.linear(x, in_format(weight, x.dtype))


def in_format(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a float32 weight in another format; its gradient arrives in float32."""
    if weight.dtype == dtype:
        return weight
    copy: Tensor = _InFormat.apply(weight, copy_in_format(weight.detach(), dtype, of=weight))
    return copy


def copy_in_format(values: Tensor, dtype: torch.dtype, *, of: Tensor) -> Tensor:
    """Return the values of a weight in another format, rounded once after each of its updates."""
    if values.dtype == dtype:
        return values
    if values.device.type != "cpu" or torch.compiler.is_compiling():
        return values.to(dtype)
    state = (of._version, of.data_ptr())
    known = _copies.get(of)
    if known is not None and known[0] == state and known[1].dtype == dtype:
        kept: Tensor = known[1]
        return kept
    copy = values.to(dtype)
    _copies[of] = (state, copy)
    return copy


def forget_all_copies() -> None:
    """Forget all copies, where an optimizer updates parts that share the memory of weights."""
    _copies.clear()


def _forget_copies(optimizer: torch.optim.Optimizer, *_: object) -> None:
    """Forget the copies of the weights that an optimizer has updated.

    The fused AdamW of torch 2.13 leaves the version of its weights as it was.
    """
    for group in optimizer.param_groups:
        for weight in group["params"]:
            _copies.pop(weight, None)


register_optimizer_step_post_hook(_forget_copies)


class _InFormat(torch.autograd.Function):
    """A weight's copy in another format."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, copy: Tensor) -> Tensor:
        """Return the copy."""
        return copy.view_as(copy)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        """Return the gradient in float32."""
        return grad.float(), None
