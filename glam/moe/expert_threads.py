"""Experts on a CPU of several cores: each thread takes an expert at a time, products and all.

Within one product threads wait for each other, and an expert's products are small: two threads
side by side make 10 to 30 % more of them than two threads together, and do not stand still where
other work has one of the cores. What lies between an expert's two products stays in the cache.
Legend: R rows sorted by expert, M width, E experts, H width of an expert.
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

LEAST_FLOP = 5e6
"""Of a mean expert's product; below it Python's time for a call would be seen (some 5 us)."""


aten = torch.ops.aten


def worthwhile(x: Tensor, up: Tensor) -> bool:
    """Whether experts (E, H, M) are better shared out by threads, for rows x (R, M).

    It depends on sizes and threads alone and not on loads, so that a resumed run does the same.
    Where torch counts FLOP they are not: a counter sees what its own thread does alone.
    """
    flop = 2 * x.numel() / len(up) * up.shape[1]
    in_float32 = x.device.type == "cpu" and x.dtype == torch.float32 == up.dtype
    alone = torch.get_num_threads() == 1 or _get_current_dispatch_mode() is not None
    return in_float32 and not alone and flop >= LEAST_FLOP


class ExpertByExpert(torch.autograd.Function):
    """down(GELU(up(x))) of each expert's rows; the same numbers as grouped products.

    Only `up`'s results are kept for the backward pass; GELU of them is taken again.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, up: Tensor, down: Tensor, ends: list[int]) -> Tensor:
        """Rows (R, M) of x (R, M), up (E, H, M), down (E, M, H); expert e's end at `ends[e]`."""
        before, out = x.new_empty(len(x), up.shape[1]), torch.empty_like(x)
        spans = _spans(ends)
        spare = _spare(spans, before)

        def one(e: int, worker: int) -> None:
            rows, here = spans[e], before[spans[e]]
            torch.mm(x[rows], up[e].T, out=here)
            hidden = aten.gelu.out(here, out=spare[worker, : len(here)])
            torch.mm(hidden, down[e].T, out=out[rows])

        _share(one, spans)
        ctx.save_for_backward(x, up, down, before)
        ctx.spans = spans
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """Gradients of rows and of both weights, from that of the result (R, M)."""
        x, up, down, before = ctx.saved_tensors
        spans: list[slice] = ctx.spans
        by_x, by_up, by_down = torch.empty_like(x), torch.empty_like(up), torch.empty_like(down)
        spare, other = _spare(spans, before), _spare(spans, before)

        def one(e: int, worker: int) -> None:
            rows, here, g = spans[e], before[spans[e]], grad[spans[e]]
            hidden = aten.gelu.out(here, out=spare[worker, : len(here)])
            torch.mm(g.T, hidden, out=by_down[e])
            back = torch.mm(g, down[e], out=other[worker, : len(here)])
            back = aten.gelu_backward.grad_input(back, here, grad_input=back)
            torch.mm(back.T, x[rows], out=by_up[e])
            torch.mm(back, up[e], out=by_x[rows])

        _share(one, spans)
        return by_x, by_up, by_down, None


def _spans(ends: list[int]) -> list[slice]:
    return [slice(begin, end) for begin, end in zip([0, *ends], ends, strict=False)]


def _spare(spans: Sequence[slice], like: Tensor) -> Tensor:
    """Room of each thread for the hidden rows of the fullest expert."""
    most = max(span.stop - span.start for span in spans)
    return like.new_empty(torch.get_num_threads(), most, like.shape[1])


def _share(one: Callable[[int, int], None], spans: Sequence[slice]) -> None:
    """Have threads, of one core each, take experts until none is left: the fullest first."""
    threads = torch.get_num_threads()
    fullest = sorted(range(len(spans)), key=lambda e: spans[e].start - spans[e].stop)
    left = iter(fullest)

    def work(worker: int) -> None:
        with torch.no_grad():  # each thread has a mode of its own
            for e in left:
                one(e, worker)

    torch.set_num_threads(1)
    try:
        others = [_pool(threads).submit(work, worker) for worker in range(1, threads)]
        work(0)
        for done in others:
            done.result()
    finally:
        torch.set_num_threads(threads)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    # A new thread multiplies with all cores until it is told, and small products then differ.
    return ThreadPoolExecutor(threads - 1, "expert", torch.set_num_threads, (1,))
