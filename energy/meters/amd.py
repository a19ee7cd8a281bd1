"""Joules of AMD Instinct GPUs through amdsmi, with the counter checked against power first.

AMD's counters have been seen frozen, implausible, or reporting two dies through one. So each is
compared with the integral of power for half a second, and power is read where they disagree. Only
the GPUs that ROCm would show to this process are read, see `amd_boards`; of a board with two dies,
the die that reports for both.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from energy.meters import amd_boards
from energy.meters.amd_boards import Gpu
from energy.meters.base import BaseSource, Domain, missing
from energy.meters.silence import silence
from energy.outside import attempt

DRIVER = Path("/dev/kfd")
CHECK_S = 0.5
AGREE = (0.5, 2.0)
"""A counter is rejected if its joules over power x time lie outside this range."""

J_PER_UJ = W_PER_UW = 1e-6

MOST_W = 100_000.0
"""No board draws this: a greater power cap is in microwatts, as newer versions tell it."""

BOTH_DIES = "both dies of its board, of which this run may use one"


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
    """The GPUs that amdsmi lists and this process may use.

    Args:
        driver: a path that exists if AMD's compute driver is loaded.
        check_s: how long counter and power are compared.
        environment: variables of the process, which may hide GPUs.
        nodes: the kernel's compute nodes.
    """

    name = "amd"

    def __init__(
        self,
        driver: Path = DRIVER,
        check_s: float = CHECK_S,
        environment: Mapping[str, str] = os.environ,
        nodes: Path = amd_boards.NODES,
    ) -> None:
        self._driver, self._check_s = driver, check_s
        self._environment, self._nodes = environment, nodes
        self._boards: list[Board] = []
        self._smi: Any = None

    def probe(self) -> list[Domain]:
        """GPUs with the reading that can be trusted; none without a driver."""
        if not self._driver.exists():
            return []
        with silence() as printed:
            loaded, error = attempt(_load)
        if error is not None or loaded is None:
            return [_not_loaded(error, printed.last_line)]
        self._smi, handles = loaded
        gpus = amd_boards.listed(self._call, handles, self._nodes)
        first = {gpu.id: self._probed(gpu.handle) for gpu in gpus}
        time.sleep(self._check_s)
        last = {gpu.id: self._probed(gpu.handle) for gpu in gpus}
        silent = {gpu.id for gpu in gpus if first[gpu.id].watts == last[gpu.id].watts == 0.0}
        shown = amd_boards.visible(gpus, self._environment)
        if gpus and not shown:
            self.absent = "ROCR_ or HIP_VISIBLE_DEVICES shows no GPU to this run"
        domains = []
        for gpu in shown:
            twin = _twin(gpu, gpus)
            if twin is None or twin in shown or (gpu.id in silent) == (twin.id in silent):
                domains.append(self._domain(gpu, "", first[gpu.id], last[gpu.id]))
            else:
                die = twin if gpu.id in silent else gpu
                domains.append(self._domain(die, BOTH_DIES, first[die.id], last[die.id]))
        return domains

    def read(self) -> dict[str, float | None]:
        """Joules of the boards whose counter can be trusted."""
        return {board.id: self._counter_j(board.handle) for board in self._boards if board.counter}

    def poll_s(self) -> float:
        """Ten readings a second if a board is read by power."""
        return 0.1 if any(not board.counter for board in self._boards) else 0.0

    def watts(self) -> dict[str, float | None]:
        """Present watts of the other boards."""
        return {
            board.id: self._power_w(board.handle) for board in self._boards if not board.counter
        }

    def states(self) -> dict[str, dict[str, Any]]:
        """The power caps of the GPUs."""
        caps = {board.id: self._cap_w(board.handle, "power_cap") for board in self._boards}
        return {name: {"power_limit_w": watts} for name, watts in caps.items() if watts}

    def close(self) -> None:
        """Shut amdsmi down."""
        if self._smi is not None:
            self._call("amdsmi_shut_down")

    def _probed(self, handle: Any) -> Probe:
        return Probe(self._counter_j(handle), self._power_w(handle), time.monotonic())

    def _domain(self, gpu: Gpu, share: str, first: Probe, last: Probe) -> Domain:
        """Choose counter or power for a GPU, by what both did between two probes."""
        if first.watts is None or last.watts is None:
            return missing(gpu.id, "gpu", "amdsmi", "no power reading")
        if first.watts == last.watts == 0.0:
            return missing(gpu.id, "gpu", "amdsmi", "its twin die reports for both")
        board = Board(gpu.id, gpu.handle)
        if first.joules is None or last.joules is None:
            check = "no counter"
        else:
            power_j = (first.watts + last.watts) / 2 * (last.time_s - first.time_s)
            ratio = (last.joules - first.joules) / power_j
            board.counter = AGREE[0] < ratio < AGREE[1]
            check = f"counter over power {ratio:.2f}"
        self._boards.append(board)
        words = "; ".join(filter(None, (check, share, gpu.doubt)))
        return Domain(
            id=board.id,
            kind="gpu",
            boundary="chip",
            low=0.9,
            high=1.1,
            method="counter" if board.counter else "power",
            tick_s=0.0 if board.counter else 0.1,
            never_zero=True,
            limit_w=self._cap_w(gpu.handle, "max_power_cap"),
            api=f"amdsmi {'energy counter' if board.counter else 'socket power'} ({words})",
            source="no external check known, our default +-10 %",
            note="; ".join(filter(None, (share, gpu.doubt))),
        )

    def _cap_w(self, handle: Any, name: str) -> float:
        """A power cap of a board; 0 if it does not tell it."""
        cap = (self._call("amdsmi_get_power_cap_info", handle) or {}).get(name)
        if not isinstance(cap, (int, float)):
            return 0.0
        return float(cap) * (W_PER_UW if cap > MOST_W else 1.0)

    def _counter_j(self, handle: Any) -> float | None:
        answer = self._call("amdsmi_get_energy_count", handle)
        if not answer:
            return None
        count = answer.get("energy_accumulator", answer.get("power"))
        return None if count is None else float(count) * answer["counter_resolution"] * J_PER_UJ

    def _power_w(self, handle: Any) -> float | None:
        answer = self._call("amdsmi_get_power_info", handle) or {}
        for name in ("current_socket_power", "average_socket_power"):
            if isinstance(answer.get(name), (int, float)):
                return float(answer[name])
        return None

    def _call(self, name: str, *arguments: Any) -> Any:
        """Call a function of amdsmi; None if it fails, as it does for unsupported features."""
        self.alive()
        answer, _ = attempt(lambda: getattr(self._smi, name)(*arguments))
        return answer


def _load() -> tuple[Any, Any]:
    """The library and its handles of processors; it raises many kinds, also while imported."""
    import amdsmi

    amdsmi.amdsmi_init()
    return amdsmi, amdsmi.amdsmi_get_processor_handles()


def _twin(gpu: Gpu, gpus: list[Gpu]) -> Gpu | None:
    """The other die of a board with two dies, which are neighbors in HIP's order."""
    if gpu.index is None:
        return None
    return next((other for other in gpus if other.index == gpu.index ^ 1), None)


def _not_loaded(error: Exception | None, printed: str) -> Domain:
    """Why amdsmi cannot be used, and what mends that."""
    rocm = Path(os.environ.get("ROCM_PATH", "/opt/rocm"))
    there = isinstance(error, ModuleNotFoundError) and (rocm / "share" / "amd_smi").is_dir()
    fix = f"pip install {rocm}/share/amd_smi"
    if not there:
        # The package of that name on PyPI does not bring the library, and prints so.
        fix = f"install amd-smi-lib, which is part of ROCm; then {fix}"
    if "driver" in f"{error}".lower():
        fix = "sudo modprobe amdgpu, and be a member of the groups render and video"
    return missing("gpu", "gpu", "amdsmi", f"amdsmi: {printed or error}", fix)
