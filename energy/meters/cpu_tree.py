"""Modelled joules of one process and its descendants: busy core-seconds times busy watts.

The idle power of the machine belongs to no process and is left out. Never labeled measured.
"""

from __future__ import annotations

import os
from pathlib import Path

from energy.meters import cpu_rows
from energy.meters.base import BaseSource, Domain, missing
from energy.meters.files import text_of


class CpuTree(BaseSource):
    """A process and its descendants.

    Args:
        pid: process id of the root of the tree.
        proc: the proc file system; tests pass their own.
    """

    name = "cpu_tree"

    def __init__(self, pid: int, proc: Path = Path("/proc")) -> None:
        self._pid, self._proc = pid, proc
        self._hz = os.sysconf("SC_CLK_TCK")
        self._busy_w = self._most_s = 0.0

    def probe(self) -> list[Domain]:
        """One domain; missing if the process cannot be read."""
        watts = cpu_rows.watts(text_of(self._proc / "cpuinfo"))
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
                limit_w=watts.busy_w * (os.cpu_count() or 1),
                api=f"/proc/PID/stat of {self._pid} and descendants x {watts.busy_w:.3g} W busy",
                low=watts.low,
                high=watts.high,
                source=watts.source,
            )
        ]

    def read(self) -> dict[str, float | None]:
        """Joules since the process started."""
        children: dict[int, list[int]] = {}
        seconds: dict[int, float] = {}
        for folder in self._proc.iterdir():
            if folder.name.isdigit() and (times := self._times(int(folder.name))) is not None:
                parent, seconds[int(folder.name)] = times
                children.setdefault(parent, []).append(int(folder.name))
        total, pending = 0.0, [self._pid]
        while pending:
            pid = pending.pop()
            total += seconds.get(pid, 0.0)
            pending += children.get(pid, [])
        # A daemon that leaves the tree would take its seconds along; the maximum keeps them.
        self._most_s = max(self._most_s, total)
        return {f"cpu-tree-{self._pid}": self._most_s * self._busy_w}

    def _times(self, pid: int) -> tuple[int, float] | None:
        """Parent of a process, and its core-seconds including those of children that have ended."""
        try:
            stat = (self._proc / str(pid) / "stat").read_text()
            # The name in parentheses may itself contain spaces and parentheses.
            fields = stat[stat.rindex(")") + 2 :].split()
            return int(fields[1]), sum(map(int, fields[11:15])) / self._hz
        except (OSError, ValueError, IndexError):
            return None
