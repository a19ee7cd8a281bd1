"""Joules of NVIDIA GPUs through NVML (package nvidia-ml-py).

The energy counter first (Volta and later), then instantaneous power (field 186), then the older
power call; powers are integrated by holding the last value. Boards are named by their UUID, so
ranks and nodes can be merged without counting one twice. A symbol that is missing or a GPU that
falls off the bus disables that reading alone.
"""

from __future__ import annotations

import ctypes.util
import time
from dataclasses import dataclass
from typing import Any

from energy.meters.base import Domain

J_PER_MJ = 1e-3
W_PER_MW = 1e-3


@dataclass
class Board:
    """One GPU: its handle, how it is read, and the integral where only power exists."""

    uuid: str
    handle: Any
    method: str
    joules: float = 0.0
    last_s: float | None = None
    last_w: float = 0.0


class Nvml:
    """All GPUs that the driver shows."""

    name = "nvml"

    def __init__(self) -> None:
        self._boards: list[Board] = []
        self._nvml: Any = None

    def probe(self) -> list[Domain]:
        """GPUs with the best way to read each; none without a driver."""
        if not ctypes.util.find_library("nvidia-ml") and not _loadable():
            return []
        import pynvml

        self._nvml = pynvml
        try:
            pynvml.nvmlInit()
            count = pynvml.nvmlDeviceGetCount()
        except pynvml.NVMLError as error:
            return [_missing("gpu", f"driver: {error}", "nvidia-smi")]
        domains = []
        for index in range(count):
            try:
                handle = pynvml.nvmlDeviceGetHandleByIndex(index)
                uuid = pynvml.nvmlDeviceGetUUID(handle)
                title = pynvml.nvmlDeviceGetName(handle)
            except pynvml.NVMLError as error:
                domains.append(_missing(f"gpu-{index}", str(error), "nvidia-smi -q"))
                continue
            method = self._best(handle)
            if method is None:
                domains.append(_missing(uuid, "neither energy nor power is supported", ""))
                continue
            self._boards.append(Board(uuid, handle, method))
            # Sensors of data-centre boards err by a few per cent: Yang et al. SC'24, our default.
            low, high = (0.93, 1.07) if method == "counter" else (0.88, 1.12)
            domains.append(
                Domain(
                    id=uuid, kind="gpu", boundary="chip",
                    method="counter" if method == "counter" else "power",
                    api=f"NVML {_API[method]} ({title})", low=low, high=high,
                    source="sensor gain against external meters, by method",
                )
            )  # fmt: skip
        return domains

    def read(self) -> dict[str, float | None]:
        """Joules by UUID; None for a GPU that did not answer."""
        return {board.uuid: self._joules(board) for board in self._boards}

    def close(self) -> None:
        """Let the driver go."""
        if self._boards:
            self._nvml.nvmlShutdown()

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
                value = nvml.nvmlDeviceGetFieldValues(handle, [nvml.NVML_FI_DEV_POWER_INSTANT])[0]
                if value.nvmlReturn != nvml.NVML_SUCCESS:
                    return None
                return float(value.value.uiVal) * W_PER_MW
            return float(nvml.nvmlDeviceGetPowerUsage(handle)) * W_PER_MW
        except nvml.NVMLError:
            return None

    def _joules(self, board: Board) -> float | None:
        raw, now = self._raw(board.handle, board.method), time.monotonic()
        if raw is None or board.method == "counter":
            return raw
        if board.last_s is not None:
            board.joules += board.last_w * (now - board.last_s)
        board.last_s, board.last_w = now, raw
        return board.joules


_API = {
    "counter": "nvmlDeviceGetTotalEnergyConsumption",
    "instant": "field 186, instantaneous power",
    "power": "nvmlDeviceGetPowerUsage",
}


def _missing(name: str, reason: str, fix: str) -> Domain:
    return Domain(
        id=name, kind="gpu", boundary="chip", origin="missing", api="NVML", reason=reason, fix=fix
    )


def _loadable() -> bool:
    """Whether the loader finds the driver's library by the name that pynvml asks for."""
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return False
    return True
