"""Joules of NVIDIA GPUs through NVML (package nvidia-ml-py).

The energy counter is preferred (Volta and later), then instantaneous power (field 186), then the
older power call. Boards are named by UUID, so ranks and nodes can be merged without counting a
board twice. A missing symbol, or a GPU that falls off the bus, disables that reading only.

Only the boards that CUDA would show to this process are metered, see `nvml_boards`. HBM is part of
its board. The module of a superchip contains the board.
"""

from __future__ import annotations

import contextlib
import ctypes.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from energy.meters import sensors
from energy.meters.base import BaseSource, Domain, missing
from energy.meters.nvml_boards import Board, visible_boards
from energy.meters.silence import silence

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
    """One value of one board, and how it is read."""

    id: str
    handle: Any
    method: str
    scope: int = GPU_SCOPE


class Nvml(BaseSource):
    """The GPUs that the driver lists and this process may use.

    Args:
        visible: list of boards as in CUDA_VISIBLE_DEVICES, which is the default; "" is none.
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
        with silence():
            import pynvml

        self._nvml = pynvml
        try:
            pynvml.nvmlInit()
            boards = visible_boards(pynvml, self._visible)
        except pynvml.NVMLError as error:
            return [missing("gpu", "gpu", "NVML", f"driver: {error}", "nvidia-smi")]
        domains = []
        for board in boards:
            if board.handle is None:
                reason = "the board does not answer"
                domains.append(missing(board.id, "gpu", "NVML", reason, "nvidia-smi -q"))
            else:
                domains += self._board(board)
        return domains

    def read(self) -> dict[str, float | None]:
        """Joules of the counters; None for a board that did not answer."""
        return {
            reading.id: self._raw(reading.handle, "counter")
            for reading in self._readings
            if reading.method == "counter"
        }

    def counters(self) -> dict[str, Callable[[], float | None]]:
        """The energy counters, which tick about ten times a second."""
        return {
            reading.id: partial(self._raw, reading.handle, "counter")
            for reading in self._readings
            if reading.method == "counter"
        }

    def poll_s(self) -> float:
        """Ten readings a second if anything is read by power."""
        return TICK_S if any(r.method != "counter" for r in self._readings) else 0.0

    def watts(self) -> dict[str, float | None]:
        """Present watts of boards without a counter, of memory and of modules."""
        return {
            reading.id: self._power_w(reading.handle, reading.scope)
            if reading.method == "instant"
            else self._raw(reading.handle, reading.method)
            for reading in self._readings
            if reading.method != "counter"
        }

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

    def _board(self, board: Board) -> list[Domain]:
        """A board, with its memory and module if the driver reports their power."""
        uuid, handle, product = board.id, board.handle, board.product
        method = next((name for name in API if self._raw(handle, name) is not None), None)
        if method is None:
            return [missing(uuid, "gpu", "NVML", "neither energy nor power is supported")]
        # On other boards an unsupported module scope echoes the power of the board itself.
        superchip = any(name in product for name in SUPERCHIPS)
        module = superchip and self._power_w(handle, MODULE_SCOPE) is not None
        memory = self._power_w(handle, MEMORY_SCOPE) is not None
        self._readings.append(Reading(uuid, handle, method))
        within = f"{uuid}/module" if module else None
        domains = [_domain(uuid, "gpu", method, board, within)]
        for scope, name, exists, container in (
            (MODULE_SCOPE, "module", module, None),
            (MEMORY_SCOPE, "hbm", memory, uuid),
        ):
            if exists:
                self._readings.append(Reading(f"{uuid}/{name}", handle, "instant", scope))
                domains.append(_domain(f"{uuid}/{name}", name, "instant", board, container))
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


def _domain(name: str, kind: str, method: str, board: Board, within: str | None) -> Domain:
    # Sensors of data-center boards are off by a few percent: Yang et al. SC'24; our default.
    low, high = (0.93, 1.07) if method == "counter" else (0.88, 1.12)
    words = "; ".join(filter(None, (board.product, board.share, board.doubt)))
    domain = Domain(
        id=name,
        kind=kind,
        boundary="chip",
        within=within,
        tick_s=TICK_S,
        method="counter" if method == "counter" else "power",
        api=f"NVML {API[method]} ({words})",
        low=low,
        high=high,
        source="sensor gain against external meters, by method",
    )
    return sensors.of_board(domain, "nvml", board.product, method)


def _loadable() -> bool:
    """Whether the dynamic loader can open the driver's library under the name that pynvml uses."""
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return False
    return True
