"""Joules of NVIDIA GPUs through NVML (package nvidia-ml-py).

The energy counter first (Volta and later), then instantaneous power (field 186), then the older
power call; powers are integrated by holding the last value. Boards are named by their UUID, so
ranks and nodes can be merged without counting one twice. A symbol that is missing or a GPU that
falls off the bus disables that reading alone.

Only the boards in CUDA_VISIBLE_DEVICES are metered when it names any: by index, by UUID or its
beginning, or by MIG instance, which stands for its parent (no counter knows a slice of a board).
HBM lies within its board. A superchip's module holds the board.
"""

from __future__ import annotations

import contextlib
import ctypes.util
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from energy.meters.base import Domain, Integral, missing

J_PER_MJ = 1e-3
W_PER_MW = 1e-3
TICK_S = 0.1
"""Nominal step of the energy counter and of the power sensor; steps are dated as they come."""

MODULE_SCOPE, MEMORY_SCOPE = 1, 2
"""NVML's scopes of a power field beside the GPU itself (0)."""


@dataclass
class Reading:
    """One number of one board: how it is read, and the integral where only power exists."""

    id: str
    handle: Any
    method: str
    scope: int = 0
    integral: Integral = field(default_factory=Integral)


class Nvml:
    """The GPUs that the driver shows and this process may use.

    Args:
        visible: as CUDA_VISIBLE_DEVICES; read from the environment when not given.
    """

    name = "nvml"

    def __init__(self, visible: str | None = None) -> None:
        self._visible = os.environ.get("CUDA_VISIBLE_DEVICES") if visible is None else visible
        self._readings: list[Reading] = []
        self._nvml: Any = None

    def probe(self) -> list[Domain]:
        """GPUs with the best way to read each; none without a driver."""
        if not ctypes.util.find_library("nvidia-ml") and not _loadable():
            return []
        import pynvml

        self._nvml = pynvml
        try:
            pynvml.nvmlInit()
            handles = self._handles(pynvml.nvmlDeviceGetCount())
        except pynvml.NVMLError as error:
            return [missing("gpu", "gpu", "NVML", f"driver: {error}", "nvidia-smi")]
        domains = []
        for name, handle in handles:
            if handle is None:
                domains.append(
                    missing(name, "gpu", "NVML", "the board does not answer", "nvidia-smi -q")
                )
                continue
            domains += self._board(name, handle)
        return domains

    def read(self) -> dict[str, float | None]:
        """Joules by domain; None for one that did not answer."""
        return {reading.id: self._joules(reading) for reading in self._readings}

    def counters(self) -> dict[str, Callable[[], float | None]]:
        """The energy counters, which step about ten times a second."""
        return {
            reading.id: (lambda one=reading: self._raw(one.handle, "counter"))  # type: ignore[misc]
            for reading in self._readings
            if reading.method == "counter"
        }

    def poll_s(self) -> float:
        """Ten readings a second where only power exists."""
        return TICK_S if any(r.method != "counter" for r in self._readings) else 0.0

    def powers(self) -> dict[str, float | None]:
        """Watts now of the boards that have a counter: instantaneous where that is told."""
        found: dict[str, float | None] = {}
        for reading in self._readings:
            if reading.method == "counter":
                watts = self._scoped(reading.handle, 0)
                found[reading.id] = (
                    watts if watts is not None else self._raw(reading.handle, "power")
                )
        return found

    def close(self) -> None:
        """Let the driver go."""
        if self._nvml is not None:
            with contextlib.suppress(self._nvml.NVMLError):
                self._nvml.nvmlShutdown()

    def _handles(self, count: int) -> list[tuple[str, Any]]:
        """UUID and handle of each visible board; None as handle for one that does not answer."""
        nvml, found = self._nvml, []
        for index in range(count):
            try:
                handle = nvml.nvmlDeviceGetHandleByIndex(index)
                found.append((nvml.nvmlDeviceGetUUID(handle), handle))
            except nvml.NVMLError:
                found.append((f"gpu-{index}", None))
        if not self._visible:
            return found
        chosen: dict[str, Any] = {}
        for name in self._visible.split(","):
            name = name.strip()
            if name.isdigit():
                picked = found[int(name) : int(name) + 1]
            elif name.startswith("MIG-"):
                picked = self._parent(name)
            else:
                picked = [pair for pair in found if pair[0].startswith(name)]
            if not picked:
                # As CUDA does: a name that is not there hides itself and all behind it.
                break
            chosen.update(picked)
        return list(chosen.items())

    def _parent(self, mig: str) -> list[tuple[str, Any]]:
        """The board that a MIG instance is a slice of."""
        nvml = self._nvml
        try:
            slice_ = nvml.nvmlDeviceGetHandleByUUID(mig)
            handle = nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(slice_)
            return [(nvml.nvmlDeviceGetUUID(handle), handle)]
        except nvml.NVMLError:
            return []

    def _board(self, uuid: str, handle: Any) -> list[Domain]:
        """A board, and its memory and module where the driver tells their power."""
        method = self._best(handle)
        if method is None:
            return [missing(uuid, "gpu", "NVML", "neither energy nor power is supported")]
        title = "GPU"
        with contextlib.suppress(self._nvml.NVMLError):
            title = self._nvml.nvmlDeviceGetName(handle)
        # A scope that is not told apart echoes the board itself: only a superchip's is its own.
        module = self._superchip(title) and self._scoped(handle, MODULE_SCOPE) is not None
        memory = self._scoped(handle, MEMORY_SCOPE) is not None
        self._readings.append(Reading(uuid, handle, method))
        domains = [_domain(uuid, "gpu", method, title, within=f"{uuid}/module" if module else None)]
        for scope, name, exists, within in (
            (MODULE_SCOPE, "module", module, None),
            (MEMORY_SCOPE, "hbm", memory, uuid),
        ):
            if exists:
                self._readings.append(Reading(f"{uuid}/{name}", handle, "instant", scope))
                domains.append(_domain(f"{uuid}/{name}", name, "instant", title, within))
        return domains

    def _superchip(self, title: str) -> bool:
        return any(mark in title for mark in ("GH200", "GB200", "GB300"))

    def _best(self, handle: Any) -> str | None:
        """The first way of reading that answers."""
        for method in _API:
            if self._raw(handle, method) is not None:
                return method
        return None

    def _raw(self, handle: Any, method: str) -> float | None:
        """Joules for the counter, watts for the two power calls; None when it fails."""
        nvml = self._nvml
        try:
            if method == "counter":
                return float(nvml.nvmlDeviceGetTotalEnergyConsumption(handle)) * J_PER_MJ
            if method == "instant":
                return self._scoped(handle, 0)
            return float(nvml.nvmlDeviceGetPowerUsage(handle)) * W_PER_MW
        except nvml.NVMLError:
            return None

    def _scoped(self, handle: Any, scope: int) -> float | None:
        """Instantaneous watts of a scope (field 186): the GPU, its module, its memory."""
        nvml = self._nvml
        try:
            value = nvml.nvmlDeviceGetFieldValues(handle, [(nvml.NVML_FI_DEV_POWER_INSTANT, scope)])
        except nvml.NVMLError:
            return None
        if value[0].nvmlReturn != nvml.NVML_SUCCESS or not value[0].value.uiVal:
            return None
        return float(value[0].value.uiVal) * W_PER_MW

    def _joules(self, reading: Reading) -> float | None:
        if reading.method == "counter":
            return self._raw(reading.handle, "counter")
        watts = (
            self._scoped(reading.handle, reading.scope)
            if reading.method == "instant"
            else self._raw(reading.handle, reading.method)
        )
        return reading.integral.add(watts, time.monotonic())


_API = {
    "counter": "nvmlDeviceGetTotalEnergyConsumption",
    "instant": "field 186, instantaneous power",
    "power": "nvmlDeviceGetPowerUsage",
}


def _domain(name: str, kind: str, method: str, title: str, within: str | None) -> Domain:
    # Sensors of data-centre boards err by a few per cent: Yang et al. SC'24, our default.
    low, high = (0.93, 1.07) if method == "counter" else (0.88, 1.12)
    return Domain(
        id=name,
        kind=kind,
        boundary="chip",
        within=within,
        tick_s=TICK_S,
        method="counter" if method == "counter" else "power",
        api=f"NVML {_API[method]} ({title})",
        low=low,
        high=high,
        source="sensor gain against external meters, by method",
    )


def _loadable() -> bool:
    """Whether the loader finds the driver's library by the name that pynvml asks for."""
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return False
    return True
