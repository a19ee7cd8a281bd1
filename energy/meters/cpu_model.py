"""Joules of the processor and the memory by a model, for machines where no meter can be read.

Processor: idle watts x time + (busy - idle) watts x busy core-seconds, from /proc/stat. Memory:
watts per GiB x time. The watts of a processor are those of its row in chips.csv where /proc/cpuinfo
names one, for the share of its cores that is visible here. Both are cumulative since boot, like a
counter, so a restart loses nothing. They are never called measured: the processor is modelled, the
memory assumed, with wide bands.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from energy.meters import cpu_rows
from energy.meters.base import Domain, Steady


class CpuModel(Steady):
    """The processor and memory of this machine, by utilisation.

    Args:
        proc: the proc file system, for tests.
    """

    name = "cpu_model"

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._memory = cpu_rows.defaults()["memory"]
        self._cpu = cpu_rows.defaults()["cpu"]
        self._hz = os.sysconf("SC_CLK_TCK")
        self._cores, self._gib = 0, 0.0

    def probe(self) -> list[Domain]:
        """Processor and memory, where /proc can be read."""
        cpu, memory = cpu_rows.watts(self._text("cpuinfo")), self._memory
        self._cpu = cpu
        stat, info = self._text("stat"), self._text("meminfo")
        self._cores = sum(line[:3] == "cpu" and line[3].isdigit() for line in stat.splitlines())
        total = next((line for line in info.splitlines() if line.startswith("MemTotal")), "")
        self._gib = int(total.split()[1]) * 1024 / 2**30 if total else 0.0
        found = []
        if self._cores:
            found.append(
                Domain(
                    id="cpu",
                    kind="cpu",
                    boundary="chip",
                    method="model",
                    origin="modelled",
                    api=f"/proc/stat: {self._cores} cores x ({cpu.idle_w:.3g} W idle to "
                    f"{cpu.busy_w:.3g} W busy)",
                    low=cpu.low,
                    high=cpu.high,
                    source=cpu.source,
                )
            )
        if self._gib:
            found.append(
                Domain(
                    id="memory",
                    kind="memory",
                    boundary="chip",
                    method="constant",
                    origin="assumed",
                    api=f"{self._gib:.1f} GiB x {memory.idle_w} W",
                    low=memory.low,
                    high=memory.high,
                    source=memory.source,
                )
            )
        return found

    def read(self) -> dict[str, float | None]:
        """Joules since boot."""
        cpu, memory = self._cpu, self._memory
        found: dict[str, float | None] = {}
        busy_s = self._busy_core_s()
        # Last, as the reader dates what it is told by the moment that it is told it.
        elapsed_s = time.monotonic()
        if self._cores:
            found["cpu"] = (
                None
                if busy_s is None
                else (self._cores * cpu.idle_w * elapsed_s + (cpu.busy_w - cpu.idle_w) * busy_s)
            )
        if self._gib:
            found["memory"] = self._gib * memory.idle_w * elapsed_s
        return found

    def _busy_core_s(self) -> float | None:
        """Core-seconds not idle since boot: user, nice, system, irq, softirq of the first line."""
        try:
            user, nice, system, _idle, _wait, irq, soft = map(
                int, self._text("stat").split("\n", 1)[0].split()[1:8]
            )
        except ValueError:
            return None
        return (user + nice + system + irq + soft) / self._hz

    def _text(self, name: str) -> str:
        try:
            return (self._proc / name).read_text()
        except OSError:
            return ""
