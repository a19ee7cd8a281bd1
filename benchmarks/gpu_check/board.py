"""The board that a process computes on, as its driver describes and reads it.

    python -m benchmarks.gpu_check.board FILE

reads counter and powers every millisecond or two until its standard input is closed, and writes
them to FILE: a process of its own, so that the load and Python's lock do not delay it.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from benchmarks.gpu_check.estimators import Floats
from energy.errors import MissingDataError
from energy.meters import nvml_state
from energy.meters.nvml_boards import visible_boards

POLL_S = 0.001
"""Pause between two readings of everything."""

READY_S = 20.0
"""Seconds that the reading process may take to start."""

READINGS = ("counter", "instant", "power")
"""The energy counter (J), field 186 and the older power call (W)."""


class Board:
    """The first board that CUDA shows to this process.

    Attributes:
        name: product name.
        id: UUID.

    Raises:
        MissingDataError: there is no driver, or it shows no board that answers.
    """

    def __init__(self) -> None:
        try:
            import pynvml

            pynvml.nvmlInit()
            boards = visible_boards(pynvml, os.environ.get("CUDA_VISIBLE_DEVICES"))
        except (ImportError, OSError) as error:
            raise MissingDataError("expected nvidia-ml-py", str(error)) from error
        except pynvml.NVMLError as error:
            raise MissingDataError("expected an NVIDIA driver", str(error)) from error
        answering = [board for board in boards if board.handle is not None]
        if not answering:
            raise MissingDataError("expected an NVIDIA board", "none that the driver shows")
        self._nvml, self._handle = pynvml, answering[0].handle
        self.name, self.id = answering[0].product, answering[0].id

    def read(self, what: str) -> float:
        """One of READINGS; not a number if the driver refuses."""
        nvml = self._nvml
        try:
            if what == "counter":
                return float(nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)) / 1e3
            if what == "power":
                return float(nvml.nvmlDeviceGetPowerUsage(self._handle)) / 1e3
            (field,) = nvml.nvmlDeviceGetFieldValues(
                self._handle, [(nvml.NVML_FI_DEV_POWER_INSTANT, 0)]
            )
        except nvml.NVMLError:
            return float("nan")
        return float("nan") if field.nvmlReturn else float(field.value.uiVal) / 1e3

    def facts(self) -> dict[str, Any]:
        """Versions, limits, clocks and modes, as far as the driver says them.

        Powers are in W, clocks in MHz, temperature in degrees Celsius.
        """
        nvml, board = self._nvml, self._handle
        calls: dict[str, Callable[[], Any]] = {
            "driver": nvml.nvmlSystemGetDriverVersion,
            "cuda": nvml.nvmlSystemGetCudaDriverVersion,
            "architecture": lambda: nvml.nvmlDeviceGetArchitecture(board),
            "memory_bytes": lambda: nvml.nvmlDeviceGetMemoryInfo(board).total,
            "power_limits_w": lambda: [
                milliwatts / 1e3
                for milliwatts in nvml.nvmlDeviceGetPowerManagementLimitConstraints(board)
            ],
            "mig": lambda: bool(nvml.nvmlDeviceGetMigMode(board)[0]),
        }
        facts = dict(nvml_state.answered(nvml, calls))
        return {"name": self.name, **facts, **nvml_state.state(nvml, board)}


@dataclass(frozen=True)
class Series:
    """One of READINGS over time.

    Attributes:
        times_s: moments of the monotonic clock.
        values: J or W.
    """

    times_s: Floats
    values: Floats

    def between(self, start_s: float, stop_s: float) -> Series:
        """The readings of a stretch."""
        inside = (self.times_s >= start_s) & (self.times_s <= stop_s)
        return Series(self.times_s[inside], self.values[inside])


class Reader:
    """Reads the board in a process of its own while the context is open.

    Args:
        folder: for what it has read.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "readings.npy"

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.gpu_check.board", str(self._file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], READY_S)
        if not ready or not self._process.stdout.readline():
            self._process.kill()
            raise MissingDataError("expected a process that reads the board", "none that started")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def series(self) -> dict[str, Series]:
        """What was read, by name; without what the driver never answered."""
        table = np.load(self._file)
        read = {}
        for name, moments, values in zip(READINGS, table[:, 0::2].T, table[:, 1::2].T, strict=True):
            valid = np.isfinite(values)
            if valid.any():
                read[name] = Series(moments[valid], values[valid])
        return read


def main() -> None:
    """Read until standard input is closed."""
    board, rows = Board(), []
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], POLL_S)[0]:
        row = []
        for name in READINGS:
            before_s = time.monotonic()
            value = board.read(name)
            row += [(before_s + time.monotonic()) / 2, value]
        rows.append(row)
    np.save(sys.argv[1], np.array(rows).reshape(-1, 2 * len(READINGS)))


if __name__ == "__main__":
    main()
