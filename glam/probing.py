"""Measurements of this machine with the operations of training, the input of calibration.

Each row is the minimum over rounds of the median time of one operation at one size. No training
step is timed, so predictions made from these rows never use the runs they are judged by.
"""

from __future__ import annotations

import logging
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import gelu, grouped_mm

from energy.allocator import keep_freed_memory
from energy.ledger.environment import machine
from energy.quantity import Quantity
from energy.tracking.tracker import Tracker
from glam.adafactor import Adafactor
from glam.device import (
    choose_device,
    memory_bytes,
    synchronizer,
)
from glam.model.cross_entropy import ChunkedCrossEntropy
from glam.precision import DTYPES, PEAK_SIZES, choose_precision

logger = logging.getLogger("glam")

ROUNDS = 3
"""Times that the table is measured; the minimum of each row is kept, so that other work on a
shared machine for a moment does not look like a property of the machine."""


REPEATS = 3
"""Runs per median."""


LEAST_SHARE = 0.8
"""Share of its cores that the probe must have during a second for its watts to be those of work."""

TRIES = 3
"""Seconds of work at most, of which that with the largest share counts."""


FLUSH_VALUES = 2**23
"""Values (32 MB) touched between two runs: more than the caches of a core hold."""


Row = dict[str, Any]


class Clock:
    """Times operations on one device, each with inputs that are no longer in its caches.

    In a training step an operation does not find its inputs in the caches. Timed in a tight loop it
    would, and would look up to half as fast again as it is.
    """

    def __init__(self, device: torch.device) -> None:
        self._wait = synchronizer(device) or (lambda: None)
        self._flush = torch.zeros(FLUSH_VALUES, device=device)

    def median(self, run: Callable[[], object]) -> float:
        """Return the median seconds of one call with cold caches."""
        run()
        seconds = []
        for _ in range(REPEATS):
            self._flush.add_(1)
            self._wait()
            begun = time.perf_counter()
            run()
            self._wait()
            seconds.append(time.perf_counter() - begun)
        return sorted(seconds)[REPEATS // 2]

    def median_in_a_row(self, run: Callable[[], object], calls: int) -> float:
        """Return the median seconds per call of many in a row, for very short operations."""

        def repeat() -> None:
            for _ in range(calls):
                run()

        return self.median(repeat) / calls


def probe(
    device: str = "auto",
    *,
    precision: str = "auto",
    meters: str | list[str] = "auto",
    rounds: int = ROUNDS,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """Measure this machine for `simulator calibrate`; takes about 25 s on two CPU cores.

    Args:
        device: auto, cpu or cuda.
        precision: format of activations and products; with auto that of `glam train`.
        meters: meters of its power, as `energy.Tracker` takes them.
        rounds: times that the table is measured.
        on_progress: called with the current kind of row, and how many of how many are done.

    Returns:
        The table as plain values, schema "probe-1": machine, dtype, rows with seconds, and power
        idle and busy.
    """
    place = choose_device(device)
    keep_freed_memory()
    report = on_progress or (lambda kind, done, total: None)
    chosen = choose_precision(precision, place)
    dtype = DTYPES[chosen]
    clock = Clock(place)
    kinds: dict[str, Callable[[], Iterator[Row]]] = {
        "matrix products": partial(matmul_rows, clock, place, dtype),
        "grouped products": partial(grouped_matmul_rows, clock, place, dtype),
        "attention": partial(attention_rows, clock, place, dtype),
        "element-wise": partial(elementwise_rows, clock, place, dtype),
        "optimizer": partial(optimizer_rows, clock, place),
        "loss": partial(cross_entropy_rows, clock, place, dtype),
        "launch": partial(launch_rows, clock, place),
    }
    torch.manual_seed(0)
    tables: list[list[Row]] = []
    total = rounds * len(kinds) + 1
    for number in range(rounds):
        tables.append([])
        for done, (kind, measure) in enumerate(kinds.items(), start=number * len(kinds)):
            report(kind, done, total)
            tables[-1] += measure()
    report("power", total - 1, total)
    power = measure_power(place, dtype, meters)
    report("done", total, total)
    return {
        "schema": "probe-1",
        "machine": _machine(place),
        "dtype": chosen,
        "rows": [fastest(repeats) for repeats in zip(*tables, strict=True)],
        "power": {name: watts.model_dump(mode="json") for name, watts in power.items()},
    }


def fastest(repeats: tuple[Row, ...]) -> Row:
    """Return one row from those of several rounds, with the minimum of each time."""
    return {
        name: min(row[name] for row in repeats) if name.startswith("seconds") else value
        for name, value in repeats[0].items()
    }


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
            "adamw": torch.optim.AdamW(weights, lr=1e-5, fused=True),
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


def measure_power(
    device: torch.device, dtype: torch.dtype, meters: str | list[str]
) -> dict[str, Quantity]:
    """Return the watts of this machine idle and during a large product, by its meters."""
    n = PEAK_SIZES[device.type][0][0]
    matrix = torch.ones(n, n, device=device, dtype=dtype)

    def busy() -> float:
        """Multiply for a second; return the share of its cores that this process has had."""
        start, used = time.monotonic(), time.process_time()
        while (elapsed_s := time.monotonic() - start) < 1.0:
            matrix @ matrix
        if device.type != "cpu":
            return 1.0
        return (time.process_time() - used) / (elapsed_s * torch.get_num_threads())

    idle, _ = _watts("idle_w", lambda: time.sleep(1.0), device, meters)
    tries: list[tuple[Quantity, float]] = []
    while len(tries) < TRIES and (not tries or tries[-1][1] < LEAST_SHARE):
        tries.append(_watts("busy_w", busy, device, meters))
    watts, share = max(tries, key=lambda attempt: attempt[1])
    if share < LEAST_SHARE:
        logger.warning(
            "this machine does other work: the probe had %.0f %% of its cores, so that its watts "
            "are too low and its seconds may be too long; probe again when the machine is idle",
            100 * share,
        )
    return {"idle_w": idle, "busy_w": watts}


def _watts(
    name: str, work: Callable[[], Any], device: torch.device, meters: str | list[str]
) -> tuple[Quantity, Any]:
    """Return the mean watts during some work, and what the work returns."""
    with tempfile.TemporaryDirectory() as folder:
        meter = Tracker(
            Path(folder) / name,
            name=name,
            interval_s=0.1,
            sync=synchronizer(device),
            meters=meters,
            leave_record=False,
        )
        with meter, meter.window(name):
            result = work()
        window = meter.record().windows[0]
        seconds = window.elapsed_s.numbers()[0]
        return window.energy_j.scaled(1 / seconds, unit="W"), result


def _machine(device: torch.device) -> dict[str, Any]:
    """Describe the measured machine and its software."""
    description = {
        **machine(),
        "device": str(device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    name = f"{description['cpu'] or platform.machine()}, {description['threads']} threads"
    if device.type == "cuda":
        name = torch.cuda.get_device_properties(device).name
    return {**description, "name": name, "memory_bytes": memory_bytes(device)}
