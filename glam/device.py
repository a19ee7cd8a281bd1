"""The device that a model lives on, its precision, and the best it can do."""

from __future__ import annotations

import ctypes
import os
import time
import tomllib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

import torch

from energy.errors import InfeasibleError, InputError
from energy.units import si

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
"""Parameters of mallopt(3)."""


PEAK_SIZE = {"cpu": 1536, "cuda": 8192}
"""Edge of the square product that stands for the best a device can do."""


WEIGHT_BYTES = 8
"""A weight and its gradient in float32, the least that training holds."""


def choose_device(wanted: str) -> torch.device:
    """The device of a setting; "auto" is a GPU where there is one.

    Raises:
        InfeasibleError: a GPU is wanted and there is none.
    """
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if wanted == "cuda" and not torch.cuda.is_available():
        raise InfeasibleError("expected a CUDA GPU for device cuda", "none", "use --device cpu")
    return torch.device(wanted)


def memory_bytes(device: torch.device) -> int:
    """Memory of a device, all of it, whoever holds it."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def require_room(device: torch.device, parameters: float) -> None:
    """Refuse a model whose weights and gradients alone are more than a device holds.

    Raises:
        InfeasibleError: it does not fit.
    """
    room, wanted = memory_bytes(device), WEIGHT_BYTES * parameters
    if wanted > room:
        raise InfeasibleError(
            f"expected weights and gradients that fit in the {si(room, 'B')} of {device}",
            si(wanted, "B"),
            "choose a smaller model (glam sizes), or ask simulator plan what it takes",
        )


def keep_freed_memory() -> None:
    """Let the C allocator keep what a step frees for the next one, where it is glibc's.

    By default it gives large blocks back to the system and takes them again as fresh pages, whose
    faults cost 20 to 30 % of a training step on a CPU (much of it unseen, on the host of a VM).
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        if not mallopt(M_MMAP_THRESHOLD, 2**30):
            mallopt(M_MMAP_THRESHOLD, 2**25)  # the most that an older glibc takes
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(M_TOP_PAD, 2**26)


def precision(device: torch.device) -> AbstractContextManager[object]:
    """float32 weights with bfloat16 activations on a GPU, as GLaM; float32 alone on a CPU."""
    if device.type == "cuda":
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


def dtype_name(device: torch.device) -> str:
    """The precision of matrix products on a device."""
    return "bfloat16" if device.type == "cuda" else "float32"


def synchronise(device: torch.device) -> Callable[[], None] | None:
    """What waits until a device has done all it was told; None where nothing is asynchronous."""
    return torch.cuda.synchronize if device.type == "cuda" else None


def best_matmul_flop_per_s(device: torch.device, repeats: int = 5) -> float:
    """The best rate of a large square product here: the denominator of MFU on this machine.

    The median of a few products of 2*n^3 FLOP after one to warm up; well under a second.
    """
    n = PEAK_SIZE[device.type]
    matrix = torch.ones(n, n, device=device, dtype=getattr(torch, dtype_name(device)))
    wait = synchronise(device) or (lambda: None)
    seconds = []
    for _ in range(repeats + 1):
        wait()
        begun = time.perf_counter()
        matrix @ matrix
        wait()
        seconds.append(time.perf_counter() - begun)
    return 2 * n**3 / sorted(seconds[1:])[repeats // 2]


def machine_peak(path: Path) -> float:
    """Peak FLOP/s in the machine file that `simulator calibrate` wrote.

    Raises:
        InputError: there is no such file, or it tells no peak.
    """
    try:
        return float(tomllib.loads(path.read_text())["hardware"]["peak_flop_per_s"])
    except OSError as error:
        raise InputError(
            f"expected a machine file at {path}",
            (error.strerror or "").lower(),
            "write one with simulator calibrate",
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"expected hardware.peak_flop_per_s in {path}", str(error)) from error
