"""Measurements of this machine with the operations of training and of answers, for calibration.

Each row is the minimum over rounds of the median time of one operation at one size. No training
step is timed, so predictions made from these rows never use the runs they are judged by.
"""

from __future__ import annotations

import logging
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch

from energy.allocator import keep_freed_memory
from energy.errors import InputError
from energy.ledger.environment import machine
from energy.quantity import Quantity
from energy.tracking.tracker import Tracker
from glam.device import choose_device, memory_bytes, synchronizer
from glam.precision import DTYPES, PEAK_SIZES, choose_precision
from glam.probing.answers import layer_rows, weight_rows
from glam.probing.clock import Clock, Row, fastest
from glam.probing.operations import (
    attention_rows,
    cross_entropy_rows,
    elementwise_rows,
    grouped_matmul_rows,
    launch_rows,
    matmul_rows,
    optimizer_rows,
)

logger = logging.getLogger("glam")

ROUNDS = 3
"""Times that the table is measured; the minimum of each row is kept, so that other work on a
shared machine for a moment does not look like a property of the machine."""

LEAST_SHARE = 0.8
"""Share of its cores that the probe must have during a second for its watts to be those of work."""

TRIES = 3
"""Seconds of work at most, of which that with the largest share counts."""


def probe(
    device: str = "auto",
    *,
    precision: str = "auto",
    meters: str | list[str] = "auto",
    rounds: int = ROUNDS,
    processes: int = 1,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """Measure this machine for `simulator calibrate`; takes about 25 s on two CPU cores.

    Args:
        device: auto, cpu or cuda.
        precision: format of activations and products; with auto that of `glam train`.
        meters: meters of its power, as `energy.Tracker` takes them.
        rounds: times that the table is measured.
        processes: also measure up to so many processes at once, and what they exchange; each has
            one thread, as torchrun starts them, unless OMP_NUM_THREADS says otherwise.
        on_progress: called with the current kind of row, and how many of how many are done.

    Returns:
        The table as plain values, schema "probe-1": machine, dtype, rows with seconds, and power
        idle and busy.

    Raises:
        InputError: several processes are to be measured on another device than a CPU.
    """
    place = choose_device(device)
    if processes > 1:
        _prepare_several(place)
    keep_freed_memory()
    report = on_progress or (lambda kind, done, total: None)
    chosen = choose_precision(precision, place)
    dtype = DTYPES[chosen]
    kinds = _kinds(place, dtype)
    torch.manual_seed(0)
    tables: list[list[Row]] = []
    total = rounds * len(kinds) + 1 + (processes > 1)
    for number in range(rounds):
        tables.append([])
        for done, (kind, measure) in enumerate(kinds.items(), start=number * len(kinds)):
            report(kind, done, total)
            tables[-1] += measure()
    rows = [fastest(repeats) for repeats in zip(*tables, strict=True)]
    if processes > 1:
        # With FSDP, which takes longer to import than all else.
        from glam.probing.together import together_rows

        report(f"{processes} processes at once", total - 2, total)
        rows += together_rows(processes, torch.get_num_threads(), min(rounds, 2))
    report("power", total - 1, total)
    power = measure_power(place, dtype, meters)
    report("done", total, total)
    return {
        "schema": "probe-1",
        "machine": _machine(place),
        "dtype": chosen,
        "rows": rows,
        "power": {name: watts.model_dump(mode="json") for name, watts in power.items()},
    }


def _kinds(place: torch.device, dtype: torch.dtype) -> dict[str, Callable[[], Iterator[Row]]]:
    """Return what is timed on one process, by name."""
    clock = Clock(place)
    return {
        "matrix products": partial(matmul_rows, clock, place, dtype),
        "grouped products": partial(grouped_matmul_rows, clock, place, dtype),
        "attention": partial(attention_rows, clock, place, dtype),
        "element-wise": partial(elementwise_rows, clock, place, dtype),
        "optimizer": partial(optimizer_rows, clock, place),
        "loss": partial(cross_entropy_rows, clock, place, dtype),
        "launch": partial(launch_rows, clock, place),
        "weights of answers": partial(weight_rows, clock, place),
        "layers of answers": partial(layer_rows, clock, place),
    }


def _prepare_several(place: torch.device) -> None:
    """Set the threads of each of several processes.

    Raises:
        InputError: they are not those of a CPU.
    """
    if place.type != "cpu":
        raise InputError("expected a CPU with --processes", place.type, "add --device cpu")
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)


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
