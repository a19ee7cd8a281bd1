"""The device that runs a model: its choice, its memory, and the peak of a machine file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import torch

from energy.errors import InfeasibleError, InputError
from energy.inputs import is_number, read_toml, shown
from energy.units import si

DEVICES = ("cpu", "cuda")


WEIGHT_BYTES = 8
"""Bytes of a float32 weight and its gradient, the minimum that training needs per parameter."""


def choose_device(name: str) -> torch.device:
    """Return the device named "cpu", "cuda", "cuda:1" or "auto", which is a GPU if there is one.

    Raises:
        InputError: the name is none of these.
        InfeasibleError: the name is "cuda" and there is no GPU.
    """
    kind = name.partition(":")[0]
    if kind not in ("auto", *DEVICES):
        raise InputError(f"expected device to be one of auto, {', '.join(DEVICES)}", name)
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


def synchronizer(device: torch.device) -> Callable[[], None] | None:
    """Return a function that waits for all work queued on a device; None on a CPU."""
    return torch.cuda.synchronize if device.type == "cuda" else None


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
