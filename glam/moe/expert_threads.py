"""Experts on a multi-core CPU: each thread computes one whole expert at a time.

The products of an expert are small, and the threads within one product wait for each other. Two
threads on different experts compute 10 to 30 % more than two threads on the same one, and do not
stall when other work occupies one of the cores. The hidden states between an expert's two
products stay in the cache.
Legend: R rows sorted by expert, M model width, E experts, H hidden width of an expert.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.utils._python_dispatch import _get_current_dispatch_mode

from glam.architecture import Activation
from glam.precision import copy_in_format

MIN_FLOP = 5e6
"""FLOP of a mean expert's product below which Python's overhead per call (5 us) would matter."""


aten = torch.ops.aten


def _relu(before: Tensor, buffer: Tensor) -> Tensor:
    return before.relu_()


def _times_gradient_of_relu(grad: Tensor, after: Tensor) -> None:
    aten.threshold_backward.grad_input(grad, after, 0, grad_input=grad)


def _gelu(approximate: str) -> tuple[Callable[[Tensor, Tensor], Tensor], Callable[..., None]]:
    def activate(before: Tensor, buffer: Tensor) -> Tensor:
        out: Tensor = aten.gelu.out(before, approximate=approximate, out=buffer)
        return out

    def times_gradient(grad: Tensor, before: Tensor) -> None:
        aten.gelu_backward.grad_input(grad, before, approximate=approximate, grad_input=grad)

    return activate, times_gradient


IN_BUFFERS = {
    "gelu": _gelu("none"),
    "gelu_tanh": _gelu("tanh"),
    "relu": (_relu, _times_gradient_of_relu),
}
"""Of each activation: itself, in place or into a buffer, and its gradient times that of its result,
in place of the latter."""


def threads_pay_off(x: Tensor, up: Tensor) -> bool:
    """Return whether experts (E, H, M) run faster one per thread, for rows x (R, M).

    This depends on sizes and the number of threads but not on loads, so that a resumed run takes
    the same path. It is False while torch counts FLOP, as a counter sees only its own thread.
    """
    if x.device.type != "cpu" or _get_current_dispatch_mode() is not None:
        return False
    flop = 2 * x.numel() / len(up) * up.shape[1]
    # In bfloat16 it pays on one thread too: no gradient of all experts has to be converted.
    several = torch.get_num_threads() > 1 or x.dtype != torch.float32
    return several and flop >= MIN_FLOP


class ThreadedExperts(torch.autograd.Function):
    """down(activation(up(x))) of each expert's rows; the same numbers as grouped products.

    Only the results of `up` are saved for the backward pass, which recomputes their GELU; or of
    ReLU, whose gradient follows from its result.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        up: Tensor,
        down: Tensor,
        ends: list[int],
        activation: Activation,
    ) -> Tensor:
        """Return the experts' outputs (R, M).

        Args:
            ctx: autograd context.
            x: rows sorted by expert (R, M).
            up: up-projections (E, H, M), float32.
            down: down-projections (E, M, H), float32.
            ends: end of each expert's rows.
            activation: of the experts.
        """
        hidden, out = x.new_empty(len(x), up.shape[1]), torch.empty_like(x)
        up_factor, down_factor = (copy_in_format(w.detach(), x.dtype, of=w) for w in (up, down))
        spans = _spans(ends)
        activate, _ = IN_BUFFERS[activation]
        buffers = _buffers(spans, hidden)

        def run(expert: int, worker: int) -> None:
            rows, before = spans[expert], hidden[spans[expert]]
            torch.mm(x[rows], up_factor[expert].T, out=before)
            after = activate(before, buffers[worker, : len(before)])
            torch.mm(after, down_factor[expert].T, out=out[rows])

        _run_in_threads(run, spans)
        ctx.save_for_backward(x, up_factor, down_factor, hidden)
        ctx.spans, ctx.activation = spans, activation
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        """Return the gradients of rows and weights for that of the outputs (R, M)."""
        x, up, down, hidden = ctx.saved_tensors
        spans: list[slice] = ctx.spans
        activate, times_gradient = IN_BUFFERS[ctx.activation]
        x_grad = torch.empty_like(x)
        up_grad, down_grad = (torch.empty_like(w, dtype=torch.float32) for w in (up, down))
        after_buffers, grad_buffers = _buffers(spans, hidden), _buffers(spans, hidden)

        def run(expert: int, worker: int) -> None:
            rows, before, out_grad = spans[expert], hidden[spans[expert]], grad[spans[expert]]
            after = activate(before, after_buffers[worker, : len(before)])
            _product_into(down_grad[expert], out_grad.T, after)
            hidden_grad = grad_buffers[worker, : len(before)]
            torch.mm(out_grad, down[expert], out=hidden_grad)
            times_gradient(hidden_grad, before)
            _product_into(up_grad[expert], hidden_grad.T, x[rows])
            torch.mm(hidden_grad, up[expert], out=x_grad[rows])

        _run_in_threads(run, spans)
        return x_grad, up_grad, down_grad, None, None


def _product_into(out: Tensor, a: Tensor, b: Tensor) -> None:
    """Write a product into a float32 tensor, from the cache where its factors are not float32."""
    if a.dtype == out.dtype:
        torch.mm(a, b, out=out)
    else:
        out.copy_(a @ b)


def _spans(ends: list[int]) -> list[slice]:
    return [slice(begin, end) for begin, end in zip([0, *ends], ends, strict=False)]


def _buffers(spans: Sequence[slice], like: Tensor) -> Tensor:
    """Return one buffer per thread, each large enough for the rows of the busiest expert."""
    most = max(span.stop - span.start for span in spans)
    return like.new_empty(torch.get_num_threads(), most, like.shape[1])


def _run_in_threads(run: Callable[[int, int], None], spans: Sequence[slice]) -> None:
    """Call `run(expert, worker)` for each expert, the busiest first, in single-core threads."""
    threads = torch.get_num_threads()
    busiest_first = sorted(range(len(spans)), key=lambda e: spans[e].start - spans[e].stop)
    queue = iter(busiest_first)

    def work(worker: int) -> None:
        with torch.no_grad():  # the mode is per thread
            for expert in queue:
                run(expert, worker)

    torch.set_num_threads(1)
    try:
        others = [_pool(threads).submit(work, worker) for worker in range(1, threads)]
        work(0)
        for future in others:
            future.result()
    finally:
        torch.set_num_threads(threads)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    # By default a new thread would use all cores, and small products would then differ.
    return ThreadPoolExecutor(threads - 1, "expert", torch.set_num_threads, (1,))
