"""Joules of NVIDIA GPUs through NVML (package nvidia-ml-py).

The energy counter is preferred (Volta and later), then instantaneous power (field 186), then the
older power call. Power is integrated, each value counting until the next. Boards are named by
UUID, so ranks and nodes can be merged without counting a board twice. A missing symbol, or a GPU
that falls off the bus, disables that reading only.

If CUDA_VISIBLE_DEVICES names any boards, only those are metered: by index, by UUID or a prefix of
it, or by MIG instance, which stands for its parent board (no counter covers a slice of a board).
HBM is part of its board. The module of a superchip contains the board.
"""

from __future__ import annotations

import contextlib
import ctypes.util
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from energy.meters import sensors
from energy.meters.base import BaseSource, Domain, Integral, missing

J_PER_MJ = 1e-3
W_PER_MW = 1e-3
TICK_S = 0.1
"""Nominal update period of the energy counter and of the power sensor."""

GPU_SCOPE, MODULE_SCOPE, MEMORY_SCOPE = 0, 1, 2
"""NVML's scopes of a power field."""

SUPERCHIPS = ("GH200", "GB200", "GB300")
"""Product names whose module power is a reading of its own."""

API = {
    "counter": "nvmlDeviceGetTotalEnergyConsumption",
    "instant": "field 186, instantaneous power",
    "power": "nvmlDeviceGetPowerUsage",
}
"""The methods of reading a board, best first."""


@dataclass
class Reading:
    """One value of one board: how it is read, and its integral if it is a power."""

    id: str
    handle: Any
    method: str
    scope: int = GPU_SCOPE
    integral: Integral = field(default_factory=Integral)


class Nvml(BaseSource):
    """The GPUs that the driver lists and this process may use.

    Args:
        visible: list of boards as in CUDA_VISIBLE_DEVICES, which is the default.
    """

    name = "nvml"

    def __init__(self, visible: str | None = None) -> None:
        self._visible = os.environ.get("CUDA_VISIBLE_DEVICES") if visible is None else visible
        self._readings: list[Reading] = []
        self._nvml: Any = None

    def probe(self) -> list[Domain]:
        """GPUs with the best method that each supports; none without a driver."""
        if not ctypes.util.find_library("nvidia-ml") and not _loadable():
            return []
        import pynvml

        self._nvml = pynvml
        try:
            pynvml.nvmlInit()
            handles = self._visible_boards(self._boards(pynvml.nvmlDeviceGetCount()))
        except pynvml.NVMLError as error:
            return [missing("gpu", "gpu", "NVML", f"driver: {error}", "nvidia-smi")]
        domains = []
        for name, handle in handles.items():
            if handle is None:
                domains.append(
                    missing(name, "gpu", "NVML", "the board does not answer", "nvidia-smi -q")
                )
            else:
                domains += self._board(name, handle)
        return domains

    def read(self) -> dict[str, float | None]:
        """Joules by domain; None for a board that did not answer."""
        return {reading.id: self._joules(reading) for reading in self._readings}

    def counters(self) -> dict[str, Callable[[], float | None]]:
        """The energy counters, which tick about ten times a second."""
        return {
            reading.id: partial(self._raw, reading.handle, "counter")
            for reading in self._readings
            if reading.method == "counter"
        }

    def poll_s(self) -> float:
        """Ten readings a second if a power is integrated."""
        return TICK_S if any(r.method != "counter" for r in self._readings) else 0.0

    def powers(self) -> dict[str, float | None]:
        """Present watts of the boards that have a counter: instantaneous if available."""
        watts: dict[str, float | None] = {}
        for reading in self._readings:
            if reading.method == "counter":
                instant_w = self._power_w(reading.handle, GPU_SCOPE)
                watts[reading.id] = (
                    instant_w if instant_w is not None else self._raw(reading.handle, "power")
                )
        return watts

    def close(self) -> None:
        """Shut NVML down."""
        if self._nvml is not None:
            with contextlib.suppress(self._nvml.NVMLError):
                self._nvml.nvmlShutdown()

    def _boards(self, count: int) -> list[tuple[str, Any]]:
        """UUID and handle of every board; the handle is None if the board does not answer."""
        nvml, boards = self._nvml, []
        for index in range(count):
            try:
                handle = nvml.nvmlDeviceGetHandleByIndex(index)
                boards.append((nvml.nvmlDeviceGetUUID(handle), handle))
            except nvml.NVMLError:
                boards.append((f"gpu-{index}", None))
        return boards

    def _visible_boards(self, boards: list[tuple[str, Any]]) -> dict[str, Any]:
        """The boards that CUDA_VISIBLE_DEVICES names; all of them if it names none."""
        if not self._visible:
            return dict(boards)
        chosen: dict[str, Any] = {}
        for name in map(str.strip, self._visible.split(",")):
            if name.isdigit():
                matches = boards[int(name) : int(name) + 1]
            elif name.startswith("MIG-"):
                matches = self._parent(name)
            else:
                matches = [board for board in boards if board[0].startswith(name)]
            if not matches:
                # Like CUDA: a name that matches nothing hides itself and everything after it.
                break
            chosen.update(matches)
        return chosen

    def _parent(self, mig: str) -> list[tuple[str, Any]]:
        """The board that a MIG instance is a slice of."""
        nvml = self._nvml
        try:
            instance = nvml.nvmlDeviceGetHandleByUUID(mig)
            handle = nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(instance)
            return [(nvml.nvmlDeviceGetUUID(handle), handle)]
        except nvml.NVMLError:
            return []

    def _board(self, uuid: str, handle: Any) -> list[Domain]:
        """A board, with its memory and module if the driver reports their power."""
        method = next((name for name in API if self._raw(handle, name) is not None), None)
        if method is None:
            return [missing(uuid, "gpu", "NVML", "neither energy nor power is supported")]
        product = "GPU"
        with contextlib.suppress(self._nvml.NVMLError):
            product = self._nvml.nvmlDeviceGetName(handle)
        # On other boards an unsupported module scope echoes the power of the board itself.
        superchip = any(name in product for name in SUPERCHIPS)
        module = superchip and self._power_w(handle, MODULE_SCOPE) is not None
        memory = self._power_w(handle, MEMORY_SCOPE) is not None
        self._readings.append(Reading(uuid, handle, method))
        within = f"{uuid}/module" if module else None
        domains = [_domain(uuid, "gpu", method, product, within)]
        for scope, name, exists, container in (
            (MODULE_SCOPE, "module", module, None),
            (MEMORY_SCOPE, "hbm", memory, uuid),
        ):
            if exists:
                self._readings.append(Reading(f"{uuid}/{name}", handle, "instant", scope))
                domains.append(_domain(f"{uuid}/{name}", name, "instant", product, container))
        return domains

    def _raw(self, handle: Any, method: str) -> float | None:
        """Joules of the counter, or watts of one of the power calls; None if the call fails."""
        nvml = self._nvml
        try:
            if method == "counter":
                return float(nvml.nvmlDeviceGetTotalEnergyConsumption(handle)) * J_PER_MJ
            if method == "instant":
                return self._power_w(handle, GPU_SCOPE)
            return float(nvml.nvmlDeviceGetPowerUsage(handle)) * W_PER_MW
        except nvml.NVMLError:
            return None

    def _power_w(self, handle: Any, scope: int) -> float | None:
        """Instantaneous watts (field 186) of the GPU, its module or its memory."""
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
            self._power_w(reading.handle, reading.scope)
            if reading.method == "instant"
            else self._raw(reading.handle, reading.method)
        )
        return reading.integral.add(watts, time.monotonic())


def _domain(name: str, kind: str, method: str, product: str, within: str | None) -> Domain:
    # Sensors of data-center boards are off by a few percent: Yang et al. SC'24; our default.
    low, high = (0.93, 1.07) if method == "counter" else (0.88, 1.12)
    domain = Domain(
        id=name,
        kind=kind,
        boundary="chip",
        within=within,
        tick_s=TICK_S,
        method="counter" if method == "counter" else "power",
        api=f"NVML {API[method]} ({product})",
        low=low,
        high=high,
        source="sensor gain against external meters, by method",
    )
    return sensors.of_board(domain, "nvml", product, method)


def _loadable() -> bool:
    """Whether the dynamic loader can open the driver's library under the name that pynvml uses."""
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return False
    return True
