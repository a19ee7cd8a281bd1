"""The device that runs a model: its choice, memory, precision and peak FLOP/s."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

import torch

from energy.errors import InfeasibleError, InputError
from energy.inputs import is_number, read_toml, shown
from energy.units import si

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
"""Options of mallopt(3)."""


PEAK_SIZE = {"cpu": 1536, "cuda": 8192}
"""Size n of the square matrix product that measures the peak FLOP/s of a device."""


WEIGHT_BYTES = 8
"""Bytes of a float32 weight and its gradient, the minimum that training needs per parameter."""


def choose_device(name: str) -> torch.device:
    """Return the device named "cpu", "cuda", "cuda:1" or "auto", which is a GPU if there is one.

    Raises:
        InputError: the name is none of these.
        InfeasibleError: the name is "cuda" and there is no GPU.
    """
    kind = name.partition(":")[0]
    if kind not in ("auto", *PEAK_SIZE):
        raise InputError(f"expected device to be one of auto, {', '.join(PEAK_SIZE)}", name)
    if kind == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if kind == "cuda" and not torch.cuda.is_available():
        raise InfeasibleError("expected a CUDA GPU for device cuda", "none", "use --device cpu")
    return torch.device(name)


def memory_bytes(device: torch.device) -> int:
    """Return the total memory of a device in bytes, used or not."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def require_memory(device: torch.device, parameters: float) -> None:
    """Check that the weights and gradients of a model fit in the memory of a device.

    Raises:
        InfeasibleError: they do not fit.
    """
    available, needed = memory_bytes(device), WEIGHT_BYTES * parameters
    if needed > available:
        raise InfeasibleError(
            f"expected weights and gradients that fit in the {si(available, 'B')} of {device}",
            si(needed, "B"),
            "choose a smaller model (glam sizes), or see with simulator plan what it needs",
        )


def keep_freed_memory() -> None:
    """Make glibc's allocator keep the memory that a training step frees for the next step.

    By default it returns large blocks to the system and later maps fresh pages, whose page faults
    cost 20 to 30 % of a training step on a CPU (in a VM, much of it hidden on the host). Other
    allocators are left alone.
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        if not mallopt(M_MMAP_THRESHOLD, 2**30):
            mallopt(M_MMAP_THRESHOLD, 2**25)  # the maximum of older versions
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(M_TOP_PAD, 2**26)


def precision(device: torch.device) -> AbstractContextManager[object]:
    """Return the context of a forward pass: bfloat16 autocast on a GPU, float32 on a CPU.

    Weights are float32 on both, as in GLaM.
    """
    if device.type == "cuda":
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


def dtype_name(device: torch.device) -> str:
    """Return the data type of matrix products on a device."""
    return "bfloat16" if device.type == "cuda" else "float32"


def synchronizer(device: torch.device) -> Callable[[], None] | None:
    """Return a function that waits for all work queued on a device; None on a CPU."""
    return torch.cuda.synchronize if device.type == "cuda" else None


def best_matmul_flop_per_s(device: torch.device, repeats: int = 5) -> float:
    """Measure the FLOP/s of a large square matrix product, the peak that MFU and HFU refer to.

    The median of `repeats` products of 2*n^3 FLOP each, after one to warm up; takes well under a
    second.
    """
    n = PEAK_SIZE[device.type]
    matrix = torch.ones(n, n, device=device, dtype=getattr(torch, dtype_name(device)))
    wait = synchronizer(device) or (lambda: None)
    seconds = []
    for _ in range(repeats + 1):
        wait()
        begun = time.perf_counter()
        matrix @ matrix
        wait()
        seconds.append(time.perf_counter() - begun)
    return 2 * n**3 / sorted(seconds[1:])[repeats // 2]


def machine_peak(path: Path) -> float:
    """Read the peak FLOP/s from a machine file written by `simulator calibrate`.

    Raises:
        InputError: there is no such file, or it has no peak.
    """
    fix = "write one with simulator calibrate PROBE.json"
    hardware = read_toml(path, "a machine file", fix).get("hardware")
    peak = hardware.get("peak_flop_per_s") if isinstance(hardware, dict) else None
    if peak is None or not is_number(peak) or peak <= 0:
        raise InputError(f"expected hardware.peak_flop_per_s above 0 in {path}", shown(peak), fix)
    return float(peak)
