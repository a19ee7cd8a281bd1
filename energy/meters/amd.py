"""Joules of AMD Instinct GPUs through amdsmi, with the counter checked against power first.

AMD's counters have been seen frozen, implausible, or reporting two dies through one. So each is
compared with the integral of power for half a second, and power is read where they disagree.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from energy.meters.base import BaseSource, Domain, missing

DRIVER = Path("/dev/kfd")
CHECK_S = 0.5
AGREE = (0.5, 2.0)
"""A counter is rejected if its joules over power x time lie outside this range."""

J_PER_UJ = 1e-6


@dataclass
class Board:
    """One GPU, and how it is read."""

    id: str
    handle: Any
    counter: bool = False


@dataclass(frozen=True)
class Probe:
    """Counter, power and time of a board at one moment."""

    joules: float | None
    watts: float | None
    time_s: float


class Amd(BaseSource):
    """All GPUs that amdsmi lists.

    Args:
        driver: a path that exists if AMD's compute driver is loaded.
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
        except Exception as error:  # amdsmi raises many kinds, also while it is imported
            return [missing("gpu", "gpu", "amdsmi", f"amdsmi: {error}", "pip install amdsmi")]
        self._smi = amdsmi
        boards = [Board(self._name(handle, i), handle) for i, handle in enumerate(handles)]
        first = [self._probed(board) for board in boards]
        time.sleep(self._check_s)
        return [self._domain(board, seen) for board, seen in zip(boards, first, strict=True)]

    def read(self) -> dict[str, float | None]:
        """Joules of the boards whose counter can be trusted."""
        return {board.id: self._counter_j(board) for board in self._boards if board.counter}

    def poll_s(self) -> float:
        """Ten readings a second if a board is read by power."""
        return 0.1 if any(not board.counter for board in self._boards) else 0.0

    def watts(self) -> dict[str, float | None]:
        """Present watts of the other boards."""
        return {board.id: self._power_w(board) for board in self._boards if not board.counter}

    def close(self) -> None:
        """Shut amdsmi down."""
        if self._smi is not None:
            self._call("amdsmi_shut_down")

    def _probed(self, board: Board) -> Probe:
        joules, watts = self._counter_j(board), self._power_w(board)
        return Probe(joules, watts, time.monotonic())

    def _domain(self, board: Board, first: Probe) -> Domain:
        """Choose counter or power for a board, by what both did since the first probe."""
        last = self._probed(board)
        if first.watts is None or last.watts is None:
            return missing(board.id, "gpu", "amdsmi", "no power reading")
        if first.watts == last.watts == 0.0:
            return missing(board.id, "gpu", "amdsmi", "its twin die reports for both")
        if first.joules is None or last.joules is None:
            check = "no counter"
        else:
            power_j = (first.watts + last.watts) / 2 * (last.time_s - first.time_s)
            ratio = (last.joules - first.joules) / power_j
            board.counter = AGREE[0] < ratio < AGREE[1]
            check = f"counter over power {ratio:.2f}"
        self._boards.append(board)
        return Domain(
            id=board.id,
            kind="gpu",
            boundary="chip",
            low=0.9,
            high=1.1,
            method="counter" if board.counter else "power",
            tick_s=0.0 if board.counter else 0.1,
            api=f"amdsmi {'energy counter' if board.counter else 'socket power'} ({check})",
            source="no external check known, our default +-10 %",
        )

    def _name(self, handle: Any, index: int) -> str:
        return str(self._call("amdsmi_get_gpu_device_uuid", handle) or f"amd-gpu-{index}")

    def _counter_j(self, board: Board) -> float | None:
        answer = self._call("amdsmi_get_energy_count", board.handle)
        if not answer:
            return None
        count = answer.get("energy_accumulator", answer.get("power"))
        return None if count is None else float(count) * answer["counter_resolution"] * J_PER_UJ

    def _power_w(self, board: Board) -> float | None:
        answer = self._call("amdsmi_get_power_info", board.handle) or {}
        for name in ("current_socket_power", "average_socket_power"):
            if isinstance(answer.get(name), (int, float)):
                return float(answer[name])
        return None

    def _call(self, name: str, *arguments: Any) -> Any:
        """Call a function of amdsmi; None if it fails, as it does for unsupported features."""
        try:
            return getattr(self._smi, name)(*arguments)
        except Exception:
            return None
