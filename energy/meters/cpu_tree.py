"""Joules of one process and all it started, by a model: busy core-seconds times busy watts.

The idle draw of the machine is nobody's and is left out. Never called measured.
"""

from __future__ import annotations

import os
from pathlib import Path

from energy.meters import cpu_rows
from energy.meters.base import Domain, Steady, missing


class CpuTree(Steady):
    """A process and its descendants.

    Args:
        pid: of the process.
        proc: the proc file system, for tests.
    """

    name = "cpu_tree"

    def __init__(self, pid: int, proc: Path = Path("/proc")) -> None:
        self._pid, self._proc = pid, proc
        self._hz = os.sysconf("SC_CLK_TCK")
        self._busy_w = self._most_s = 0.0

    def probe(self) -> list[Domain]:
        """One domain; missing where the process cannot be read."""
        try:
            cpuinfo = (self._proc / "cpuinfo").read_text()
        except OSError:
            cpuinfo = ""
        watts = cpu_rows.watts(cpuinfo)
        self._busy_w = watts.busy_w
        name = f"cpu-tree-{self._pid}"
        if self._times(self._pid) is None:
            return [missing(name, "cpu", "/proc/PID/stat", "no such process")]
        return [
            Domain(
                id=name,
                kind="cpu",
                boundary="chip",
                method="model",
                origin="modelled",
                api=f"/proc/PID/stat of {self._pid} and descendants x {watts.busy_w:.3g} W busy",
                low=watts.low,
                high=watts.high,
                source=watts.source,
            )
        ]

    def read(self) -> dict[str, float | None]:
        """Joules since the process began."""
        parents: dict[int, list[int]] = {}
        seconds: dict[int, float] = {}
        for place in self._proc.iterdir():
            if place.name.isdigit() and (told := self._times(int(place.name))) is not None:
                parent, seconds[int(place.name)] = told
                parents.setdefault(parent, []).append(int(place.name))
        total, open_ = 0.0, [self._pid]
        while open_:
            pid = open_.pop()
            total += seconds.get(pid, 0.0)
            open_ += parents.get(pid, [])
        # A daemon that leaves the tree takes its seconds along: they stay counted.
        self._most_s = max(self._most_s, total)
        return {f"cpu-tree-{self._pid}": self._most_s * self._busy_w}

    def _times(self, pid: int) -> tuple[int, float] | None:
        """Parent, and core-seconds of a process and of its children that have ended."""
        try:
            told = (self._proc / str(pid) / "stat").read_text()
            fields = told[told.rindex(")") + 2 :].split()
            return int(fields[1]), sum(map(int, fields[11:15])) / self._hz
        except (OSError, ValueError, IndexError):
            return None
