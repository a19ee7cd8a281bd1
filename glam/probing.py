"""Measure what this machine does with the operations of training: the input of calibration.

Each row is the least of a few medians of one operation at one size; no training step is timed,
so predictions made from these rows are blind to the runs that they are judged by.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import gelu, grouped_mm

from energy.ledger.environment import machine
from energy.quantity import Quantity
from energy.tracking.tracker import Tracker
from glam.device import choose_device, dtype_name, keep_freed_memory, memory_bytes, synchronise
from glam.model.cross_entropy import ChunkedCrossEntropy

ROUNDS = 3
"""The table is measured so often and the least time of each row kept: other work on a shared
machine comes and goes, and a moment of it must not look like a property of the machine."""


REPEATS = 3
"""Runs that a median is taken over in one round."""


SCRUB_VALUES = 2**23
"""Values (32 MB) that are touched between two runs: more than the caches of a core."""


Row = dict[str, Any]


class Clock:
    """Times operations on one device, each on inputs that the caches no longer hold.

    In a training step an operation never finds its inputs where its own last run left them; timed
    in a tight loop it does, and looks up to half as fast again as it is.
    """

    def __init__(self, device: torch.device) -> None:
        self._wait = synchronise(device) or (lambda: None)
        self._other = torch.zeros(SCRUB_VALUES, device=device)

    def median(self, run: Callable[[], object]) -> float:
        """Median seconds of one call after another has filled the caches."""
        run()
        seconds = []
        for _ in range(REPEATS):
            self._other.add_(1)
            self._wait()
            begun = time.perf_counter()
            run()
            self._wait()
            seconds.append(time.perf_counter() - begun)
        return sorted(seconds)[REPEATS // 2]

    def median_in_a_row(self, run: Callable[[], object], calls: int) -> float:
        """Median seconds of one of many calls in a row, for what is too short to time alone."""

        def many() -> None:
            for _ in range(calls):
                run()

        return self.median(many) / calls


def probe(
    device_name: str,
    scratch: Path,
    progress: Callable[[str, int, int], None],
    meters: str | list[str] = "auto",
) -> dict[str, Any]:
    """Measure this machine.

    Args:
        device_name: auto, cpu or cuda.
        scratch: folder for the ledger of the power reading.
        progress: told the kind of row, and how many of how many kinds are done.
        meters: of its power, as `Tracker` takes them.

    Returns:
        The table, schema "probe-1": machine, dtype, rows with seconds, power idle and busy.
    """
    device = choose_device(device_name)
    keep_freed_memory()
    dtype = getattr(torch, dtype_name(device))
    clock = Clock(device)
    kinds: dict[str, Callable[[], Iterator[Row]]] = {
        "matrix products": lambda: matmuls(clock, device, dtype),
        "grouped products": lambda: grouped(clock, device, dtype),
        "attention": lambda: attention(clock, device),
        "element-wise": lambda: elementwise(clock, device, dtype),
        "optimiser": lambda: optimizers(clock, device),
        "loss": lambda: losses(clock, device),
        "launch": lambda: launches(clock, device),
    }
    torch.manual_seed(0)
    rounds: list[list[Row]] = []
    last = ROUNDS * len(kinds)
    for number in range(ROUNDS):
        rounds.append([])
        for done, (kind, measure) in enumerate(kinds.items(), start=number * len(kinds)):
            progress(kind, done, last + 1)
            rounds[-1] += measure()
    rows = [least(same) for same in zip(*rounds, strict=True)]
    progress("power", last, last + 1)
    power = watts(device, dtype, scratch, meters)
    progress("done", last + 1, last + 1)
    return {
        "schema": "probe-1",
        "machine": _machine(device),
        "dtype": dtype_name(device),
        "rows": rows,
        "power": power,
    }


def least(same: tuple[Row, ...]) -> Row:
    """One row of several rounds, with the least of its times."""
    return {
        name: min(row[name] for row in same) if name.startswith("seconds") else value
        for name, value in same[0].items()
    }


def matmuls(clock: Clock, device: torch.device, dtype: torch.dtype) -> Iterator[Row]:
    """Products (m, k) x (k, n) over the sizes that small and large layers have."""
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
        yield {"op": "matmul", "m": m, "n": n, "k": k, "seconds": clock.median(lambda: a @ b.T)}  # noqa: B023


def grouped(clock: Clock, device: torch.device, dtype: torch.dtype) -> Iterator[Row]:
    """Grouped products of experts: `groups` times (m, k) x (k, n)."""
    for groups in (4, 8, 16, 32):
        for m in (16, 64, 256):
            for n, k in ((512, 128), (1024, 256), (256, 1024), (1536, 512)):
                x = torch.randn(groups * m, k, device=device, dtype=dtype)
                w = torch.randn(groups, n, k, device=device, dtype=dtype)
                ends = torch.arange(1, groups + 1, device=device, dtype=torch.int32) * m
                seconds = clock.median(lambda: grouped_mm(x, w.transpose(1, 2), offs=ends))  # noqa: B023
                yield {
                    "op": "grouped_matmul",
                    "groups": groups,
                    "m": m,
                    "n": n,
                    "k": k,
                    "seconds": seconds,
                }


def attention(clock: Clock, device: torch.device) -> Iterator[Row]:
    """Scores, relative bias, softmax and weighted values, as in `glam.model.attention`."""
    for batch, heads, seq, d_head in (
        (4, 4, 128, 32),
        (8, 8, 128, 32),
        (8, 4, 256, 32),
        (4, 8, 256, 64),
        (2, 8, 512, 64),
    ):
        q, k, v = (
            torch.randn(batch, heads, seq, d_head, device=device, requires_grad=True)
            for _ in range(3)
        )
        bias = torch.randn(heads, seq, seq, device=device)
        out = torch.randn(batch, heads, seq, d_head, device=device)

        def forward() -> Tensor:
            scores = q @ k.transpose(-2, -1) / d_head**0.5 + bias  # noqa: B023
            mixed: Tensor = scores.float().softmax(-1) @ v  # noqa: B023
            return mixed

        def both() -> None:
            torch.autograd.grad(forward(), (q, k, v), out)  # noqa: B023

        once = clock.median(forward)
        yield {
            "op": "attention",
            "batch": batch,
            "heads": heads,
            "seq": seq,
            "d_head": d_head,
            "fused": False,
            "seconds_forward": once,
            "seconds_backward": max(clock.median(both) - once, 0.0),
        }


def elementwise(clock: Clock, device: torch.device, dtype: torch.dtype) -> Iterator[Row]:
    """A sum of two tensors (3 passes) and an activation (2), of the sizes that training has."""
    for power in (16, 18, 20, 21, 22):
        x = torch.randn(2**power, device=device, dtype=dtype)
        y = torch.randn(2**power, device=device, dtype=dtype)
        size = 2**power * x.element_size()
        yield {"op": "elementwise", "bytes": 3 * size, "seconds": clock.median(lambda: x + y)}  # noqa: B023
        yield {"op": "elementwise", "bytes": 2 * size, "seconds": clock.median(lambda: gelu(x))}  # noqa: B023


def optimizers(clock: Clock, device: torch.device) -> Iterator[Row]:
    """One update by Adafactor and by AdamW, with the norm of the gradients before it."""
    for width in (256, 1024):
        for count in (4, 16):
            weights = [
                torch.nn.Parameter(torch.randn(width, width, device=device)) for _ in range(count)
            ]
            for weight in weights:
                weight.grad = torch.randn_like(weight)
            made = {
                "adafactor": torch.optim.Adafactor(weights, lr=1e-5),
                "adamw": torch.optim.AdamW(weights, lr=1e-5, fused=True),
            }
            for kind, optimizer in made.items():
                gradients = [weight.grad for weight in weights if weight.grad is not None]

                def update() -> None:
                    torch.nn.utils.get_total_norm(gradients)  # noqa: B023
                    optimizer.step()  # noqa: B023

                yield {
                    "op": "optimizer",
                    "kind": kind,
                    "parameters": width * width * count,
                    "tensors": count,
                    "seconds": clock.median(update),
                }


def losses(clock: Clock, device: torch.device) -> Iterator[Row]:
    """The chunked cross-entropy with both its gradients."""
    for tokens, vocab, width in ((1024, 8192, 256), (1024, 4096, 128), (2048, 4096, 256)):
        x = torch.randn(tokens, width, device=device, requires_grad=True)
        w = (torch.randn(vocab, width, device=device) * 0.02).requires_grad_()
        target = torch.randint(vocab, (tokens,), device=device)
        seconds = clock.median(lambda: ChunkedCrossEntropy.apply(x, w, target))  # noqa: B023
        yield {
            "op": "cross_entropy",
            "tokens": tokens,
            "vocab": vocab,
            "d_model": width,
            "seconds": seconds,
        }


def launches(clock: Clock, device: torch.device) -> Iterator[Row]:
    """The fixed time of one operation: a sum that has nothing to add up."""
    small = torch.randn(8, device=device)
    yield {"op": "launch", "seconds": clock.median_in_a_row(lambda: small + 1, 1000)}


def watts(
    device: torch.device, dtype: torch.dtype, scratch: Path, meters: str | list[str]
) -> dict[str, Quantity]:
    """Watts idle and at a large product, as this machine's meters or models tell them."""
    n = 1536 if device.type == "cpu" else 8192
    matrix = torch.ones(n, n, device=device, dtype=dtype)

    def busy() -> None:
        stop = time.monotonic() + 1.0
        while time.monotonic() < stop:
            matrix @ matrix

    found = {}
    for name, work in (("idle_w", lambda: time.sleep(1.0)), ("busy_w", busy)):
        meter = Tracker(
            scratch / name, name=name, interval_s=0.1, sync=synchronise(device), meters=meters
        )
        with meter, meter.window(name):
            work()
        spent = meter.record().windows[0]
        seconds = spent.elapsed_s.numbers()[0]
        found[name] = spent.energy_j.scaled(1 / seconds, unit="W")
    return found


def _machine(device: torch.device) -> dict[str, Any]:
    """What was measured, and with what software."""
    told = {
        **machine(),
        "device": str(device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    name = f"{told['cpu'] or platform.machine()}, {told['threads']} threads"
    if device.type == "cuda":
        name = torch.cuda.get_device_properties(device).name
    return {**told, "name": name, "memory_bytes": memory_bytes(device)}
