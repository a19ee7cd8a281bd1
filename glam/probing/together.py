"""Rows of several processes on this machine at once: what they take from each other, and messages.

Processes that share cores, caches and memory are slower than one alone, and a message between two
of them is work of the same cores. Both are measured with as many processes as a run has; messages
between pieces of work, as a step has them, since waiting for the others is most of a small one.
"""

from __future__ import annotations

import json
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import ProcessGroup
from torch.multiprocessing.spawn import spawn

from glam.probing.clock import Row, fastest
from glam.probing.layers import N_LAYERS, WIDTHS, layer_bytes, layers_step

SIZES = (2**12, 2**16, 2**20, 2**23)
"""Bytes of messages."""

SPAN_S = 0.2
"""Seconds of work of which the mean counts: longer than a process keeps a core that it shares."""

TIMEOUT = timedelta(seconds=120)
"""For processes that do not answer."""


def counts_of(processes: int) -> list[int]:
    """Return how many processes are measured at once: 1, 2, 4, ... and all of them.

    6: 1, 2, 4 and 6.
    """
    return [n for n in (2**k for k in range(16)) if n < processes] + [processes]


def together_rows(processes: int, threads: int, rounds: int) -> list[Row]:
    """Time work and messages of up to so many processes; the smallest of some rounds counts.

    Args:
        processes: at most at once.
        threads: of each.
        rounds: times that everything is measured.
    """
    with tempfile.TemporaryDirectory() as folder:
        spawn(_measure, (processes, threads, rounds, folder), nprocs=processes)
        rows: list[Row] = json.loads((Path(folder) / "rows.json").read_text())
        return rows


def _measure(rank: int, processes: int, threads: int, rounds: int, folder: str) -> None:
    """Measure as one of the processes; the first writes the rows."""
    torch.set_num_threads(threads)
    # Newer torch has other names for the same messages.
    warnings.simplefilter("ignore", FutureWarning)
    meeting = (Path(folder) / "meeting").as_uri()
    dist.init_process_group(
        "gloo", init_method=meeting, rank=rank, world_size=processes, timeout=TIMEOUT
    )
    try:
        groups: dict[int, Any] = {n: dist.new_group(range(n)) for n in counts_of(processes)}
        tables = []
        for _ in range(rounds):
            table: list[Row] = []
            for count, group in groups.items():
                dist.barrier()
                if rank < count:
                    table += _rows(count, group)
            tables.append(table)
        if rank == 0:
            rows = [fastest(repeats) for repeats in zip(*tables, strict=True)]
            (Path(folder) / "rows.json").write_text(json.dumps(rows))
    finally:
        dist.destroy_process_group()


def _rows(count: int, group: ProcessGroup) -> Iterator[Row]:
    """Yield the rows of so many processes at once."""
    a, b = torch.randn(1024, 512), torch.randn(512, 512)
    x, y = torch.randn(2**22), torch.randn(2**22)
    works: dict[str, Callable[[], object]] = {
        "product": partial(torch.matmul, a, b),
        "stream": partial(torch.add, x, y),
        "layers": layers_step(max(WIDTHS), group, shard=False),
    }
    for name, run in works.items():
        seconds = _seconds(run, group)
        yield {"op": "together", "work": name, "processes": count, "seconds": seconds}
    if count == 1:
        return
    work = works["product"]
    # In a step a message comes between pieces of work, and whoever is first there waits.
    alone_s = _seconds(work, group)
    for size in SIZES:
        for kind, send in _messages(size, count, group).items():
            seconds = _seconds(partial(_both, work, send), group) - alone_s
            row = {"op": "message", "kind": kind, "processes": count, "bytes": size}
            yield {**row, "seconds": max(seconds, 1e-6)}
    for width in WIDTHS:
        seconds = _seconds(layers_step(width, group, shard=True), group)
        seconds -= _seconds(layers_step(width, group, shard=False), group)
        row = {"op": "sharded_layer", "processes": count, "bytes": layer_bytes(width)}
        yield {**row, "seconds": max(seconds / N_LAYERS, 1e-6)}


def _both(work: Callable[[], object], send: Callable[[], object]) -> None:
    work()
    send()


def _messages(size: int, count: int, group: ProcessGroup) -> dict[str, Callable[[], object]]:
    """Return messages of so many bytes of the whole, as `glam.distributed.traffic` counts them."""
    values = size // 4 // count * count
    whole, other, part = torch.zeros(values), torch.zeros(values), torch.zeros(values // count)
    return {
        "all-reduce": partial(dist.all_reduce, whole, group=group),
        "all-gather": partial(dist.all_gather_into_tensor, whole, part, group=group),
        "reduce-scatter": partial(dist.reduce_scatter_tensor, part, whole, group=group),
        "all-to-all": partial(dist.all_to_all_single, other, whole, group=group),
    }


def _seconds(run: Callable[[], object], group: ProcessGroup) -> float:
    """Return the seconds of a call where all processes of a group do as many at the same time."""
    calls = 1
    while True:
        elapsed_s = _slowest(_elapsed(run, calls, group), group)
        if elapsed_s >= SPAN_S / 4 or calls >= 2**14:
            break
        calls *= 4
    calls = max(1, round(calls * SPAN_S / elapsed_s))
    return _slowest(_elapsed(run, calls, group), group) / calls


def _elapsed(run: Callable[[], object], calls: int, group: ProcessGroup) -> float:
    dist.barrier(group)
    begun = time.perf_counter()
    for _ in range(calls):
        run()
    return time.perf_counter() - begun


def _slowest(seconds: float, group: ProcessGroup) -> float:
    every: Tensor = torch.tensor(seconds, dtype=torch.float64)
    dist.all_reduce(every, dist.ReduceOp.MAX, group=group)
    return float(every)
