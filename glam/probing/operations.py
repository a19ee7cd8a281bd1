"""Rows of the operations of a training step, each at some sizes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import gelu, grouped_mm

from glam.adafactor import Adafactor
from glam.model.cross_entropy import ChunkedCrossEntropy
from glam.probing.clock import Clock, Row
from glam.uncompiled import AdamW


def matmul_rows(clock: Clock, device: torch.device, dtype: torch.dtype) -> Iterator[Row]:
    """Time products (m, k) x (k, n) of the sizes that small and large layers have."""
    sizes = [
        (m, n, k)
        for m in (64, 256, 1024, 2048)
        for n in (128, 512, 1536)
        for k in (64, 128, 512, 1024)
    ]
    sizes += [(1024, 8192, 256), (1024, 256, 8192), (8192, 256, 1024), (1536, 1536, 1536)]
    for m, n, k in sizes:
        a = torch.randn(m, k, device=device, dtype=dtype)
        b = torch.randn(n, k, device=device, dtype=dtype)
        seconds = clock.median(partial(torch.matmul, a, b.T))
        yield {"op": "matmul", "m": m, "n": n, "k": k, "seconds": seconds}


def grouped_matmul_rows(clock: Clock, device: torch.device, dtype: torch.dtype) -> Iterator[Row]:
    """Time grouped products of experts: `groups` times (m, k) x (k, n)."""
    sizes = [
        (groups, m, n, k)
        for groups in (4, 8, 16, 32)
        for m in (16, 64, 256)
        for n, k in ((512, 128), (1024, 256), (256, 1024), (1536, 512))
    ]
    for groups, m, n, k in sizes:
        x = torch.randn(groups * m, k, device=device, dtype=dtype)
        w = torch.randn(groups, n, k, device=device, dtype=dtype)
        ends = torch.arange(1, groups + 1, device=device, dtype=torch.int32) * m
        seconds = clock.median(partial(grouped_mm, x, w.transpose(1, 2), offs=ends))
        yield {"op": "grouped_matmul", "groups": groups, "m": m, "n": n, "k": k, "seconds": seconds}


def attention_rows(clock: Clock, device: torch.device, dtype: torch.dtype) -> Iterator[Row]:
    """Time scores, relative bias, softmax and weighted values, as in `glam.model.attention`."""
    for batch, heads, seq, d_head in (
        (4, 4, 128, 32),
        (8, 8, 128, 32),
        (8, 4, 256, 32),
        (4, 8, 256, 64),
        (2, 8, 512, 64),
    ):
        q, k, v = (
            torch.randn(batch, heads, seq, d_head, device=device, dtype=dtype, requires_grad=True)
            for _ in range(3)
        )
        bias = torch.randn(heads, seq, seq, device=device, dtype=dtype)
        grad = torch.randn(batch, heads, seq, d_head, device=device, dtype=dtype)
        forward_s = clock.median(partial(_attention, q, k, v, bias))
        both_s = clock.median(partial(_attention_gradients, q, k, v, bias, grad))
        yield {
            "op": "attention",
            "batch": batch,
            "heads": heads,
            "seq": seq,
            "d_head": d_head,
            "fused": False,
            "seconds_forward": forward_s,
            "seconds_backward": max(both_s - forward_s, 0.0),
        }


def _attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5 + bias
    mixed: Tensor = scores.softmax(-1, dtype=torch.float32).to(v.dtype) @ v
    return mixed


def _attention_gradients(q: Tensor, k: Tensor, v: Tensor, bias: Tensor, grad: Tensor) -> None:
    torch.autograd.grad(_attention(q, k, v, bias), (q, k, v), grad)


def elementwise_rows(clock: Clock, device: torch.device, dtype: torch.dtype) -> Iterator[Row]:
    """Time a sum of two tensors (3 memory passes) and an activation (2), of training's sizes."""
    for power in (16, 18, 20, 21, 22):
        x = torch.randn(2**power, device=device, dtype=dtype)
        y = torch.randn(2**power, device=device, dtype=dtype)
        size = 2**power * x.element_size()
        for passes, run in ((3, partial(torch.add, x, y)), (2, partial(gelu, x))):
            yield {"op": "elementwise", "bytes": passes * size, "seconds": clock.median(run)}


def optimizer_rows(clock: Clock, device: torch.device) -> Iterator[Row]:
    """Time one update by Adafactor and by AdamW, with the gradient norm before it."""
    for width, count in ((256, 4), (256, 16), (1024, 4), (1024, 16)):
        weights = [
            torch.nn.Parameter(torch.randn(width, width, device=device)) for _ in range(count)
        ]
        for weight in weights:
            weight.grad = torch.randn_like(weight)
        optimizers = {
            # Its step overwrites the gradients, which changes no time.
            "adafactor": Adafactor(weights, lr=1e-5),
            "adamw": AdamW(weights, lr=1e-5, fused=True),
        }
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        for kind, optimizer in optimizers.items():
            yield {
                "op": "optimizer",
                "kind": kind,
                "parameters": width * width * count,
                "tensors": count,
                "seconds": clock.median(partial(_update, gradients, optimizer)),
            }


def _update(gradients: list[Tensor], optimizer: torch.optim.Optimizer) -> None:
    torch.nn.utils.get_total_norm(gradients)
    optimizer.step()


def cross_entropy_rows(clock: Clock, device: torch.device, dtype: torch.dtype) -> Iterator[Row]:
    """Time the chunked cross-entropy with both its gradients."""
    for tokens, vocab, width in ((1024, 8192, 256), (1024, 4096, 128), (2048, 4096, 256)):
        x = torch.randn(tokens, width, device=device, dtype=dtype, requires_grad=True)
        w = (torch.randn(vocab, width, device=device) * 0.02).requires_grad_()
        targets = torch.randint(vocab, (tokens,), device=device)
        yield {
            "op": "cross_entropy",
            "tokens": tokens,
            "vocab": vocab,
            "d_model": width,
            "seconds": clock.median(partial(ChunkedCrossEntropy.apply, x, w, targets)),
        }


def launch_rows(clock: Clock, device: torch.device) -> Iterator[Row]:
    """Time the launch of one operation: an addition of almost nothing."""
    small = torch.randn(8, device=device)
    yield {"op": "launch", "seconds": clock.median_in_a_row(partial(torch.add, small, 1), 1000)}
