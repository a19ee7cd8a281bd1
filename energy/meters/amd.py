"""Joules of AMD Instinct GPUs through amdsmi, its counter checked against power before it counts.

AMD's counters were seen frozen, impossible, or told by one die for two; so each is held against
the integral of power for half a second, and power is integrated where they differ.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from energy.meters.base import Domain, Integral, Steady, missing

DRIVER = Path("/dev/kfd")
CHECK_S = 0.5
AGREE = (0.5, 2.0)
"""A counter whose joules over power x time lie outside does not count."""

J_PER_UJ = 1e-6


@dataclass
class Board:
    """One GPU, its way of reading, and the integral where that is power."""

    id: str
    handle: Any
    counter: bool = False
    integral: Integral = field(default_factory=Integral)


class Amd(Steady):
    """All GPUs that amdsmi shows.

    Args:
        driver: exists where AMD's compute driver is loaded.
        check_s: how long counter and power are compared.
    """

    name = "amd"

    def __init__(self, driver: Path = DRIVER, check_s: float = CHECK_S) -> None:
        self._driver, self._check_s = driver, check_s
        self._boards: list[Board] = []
        self._smi: Any = None

    def probe(self) -> list[Domain]:
        """GPUs with the reading that can be trusted; none without a driver."""
        if not self._driver.exists():
            return []
        try:
            import amdsmi

            amdsmi.amdsmi_init()
            handles = amdsmi.amdsmi_get_processor_handles()
        except Exception as error:  # amdsmi raises many kinds, from its loader too
            return [missing("gpu", "gpu", "amdsmi", f"amdsmi: {error}", "pip install amdsmi")]
        self._smi = amdsmi
        boards = [Board(self._name(handle, i), handle) for i, handle in enumerate(handles)]
        first = [(self._counter_j(b), self._power_w(b), time.monotonic()) for b in boards]
        time.sleep(self._check_s)
        return [self._domain(board, *seen) for board, seen in zip(boards, first, strict=True)]

    def read(self) -> dict[str, float | None]:
        """Joules by board."""
        return {
            b.id: self._counter_j(b)
            if b.counter
            else b.integral.add(self._power_w(b), time.monotonic())
            for b in self._boards
        }

    def poll_s(self) -> float:
        """Ten readings a second where a power is integrated."""
        return 0.1 if any(not board.counter for board in self._boards) else 0.0

    def close(self) -> None:
        """Let the driver go."""
        if self._smi is not None:
            self._call("amdsmi_shut_down")

    def _domain(
        self, board: Board, joules: float | None, watts: float | None, start_s: float
    ) -> Domain:
        later, now_w, seconds = (
            self._counter_j(board),
            self._power_w(board),
            (time.monotonic() - start_s),
        )
        if watts is None or now_w is None:
            return missing(board.id, "gpu", "amdsmi", "no power reading")
        if watts == now_w == 0.0:
            return missing(board.id, "gpu", "amdsmi", "its twin die tells for both")
        expected_j = (watts + now_w) / 2 * seconds
        ratio = None if joules is None or later is None else (later - joules) / expected_j
        board.counter = ratio is not None and AGREE[0] < ratio < AGREE[1]
        self._boards.append(board)
        said = "no counter" if ratio is None else f"counter over power {ratio:.2f}"
        return Domain(
            id=board.id,
            kind="gpu",
            boundary="chip",
            low=0.9,
            high=1.1,
            method="counter" if board.counter else "power",
            tick_s=0.0 if board.counter else 0.1,
            api=f"amdsmi {'energy counter' if board.counter else 'socket power'} ({said})",
            source="no external check known, our default +-10 %",
        )

    def _name(self, handle: Any, index: int) -> str:
        return str(self._call("amdsmi_get_gpu_device_uuid", handle) or f"amd-gpu-{index}")

    def _counter_j(self, board: Board) -> float | None:
        told = self._call("amdsmi_get_energy_count", board.handle)
        if not told:
            return None
        count = told.get("energy_accumulator", told.get("power"))
        return None if count is None else float(count) * told["counter_resolution"] * J_PER_UJ

    def _power_w(self, board: Board) -> float | None:
        told = self._call("amdsmi_get_power_info", board.handle) or {}
        for name in ("current_socket_power", "average_socket_power"):
            if isinstance(told.get(name), (int, float)):
                return float(told[name])
        return None

    def _call(self, name: str, *arguments: Any) -> Any:
        """A call of amdsmi; None when it fails, as it does for what a board lacks."""
        try:
            return getattr(self._smi, name)(*arguments)
        except Exception:
            return None
