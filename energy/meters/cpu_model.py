"""Modelled joules of the processor and the memory, for machines whose meters cannot be read.

Processor: idle watts x time + (busy - idle) watts x busy core-seconds, from /proc/stat. Memory:
watts per GiB x time. The watts come from the processor's row in chips.csv, if /proc/cpuinfo names
one, scaled to the share of its cores that is visible here. Like a counter, both values are
cumulative since boot, so a restart loses nothing. Neither is ever labeled measured: the processor
is modelled and the memory assumed, both with wide bands.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from energy.meters import cpu_rows
from energy.meters.base import BaseSource, Domain
from energy.meters.files import text_of


class CpuModel(BaseSource):
    """The processor and memory of this machine, modelled from utilization.

    Args:
        proc: the proc file system; tests pass their own.
    """

    name = "cpu_model"

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._memory = cpu_rows.defaults()["memory"]
        self._cpu = cpu_rows.defaults()["cpu"]
        self._hz = os.sysconf("SC_CLK_TCK")
        self._cores, self._gib = 0, 0.0
        self._read_ns = 0

    def probe(self) -> list[Domain]:
        """Processor and memory, as far as /proc can be read."""
        self._cpu = cpu_rows.watts(text_of(self._proc / "cpuinfo"))
        stat, info = text_of(self._proc / "stat"), text_of(self._proc / "meminfo")
        self._cores = sum(line[:3] == "cpu" and line[3].isdigit() for line in stat.splitlines())
        total = next((line for line in info.splitlines() if line.startswith("MemTotal")), "")
        self._gib = int(total.split()[1]) * 1024 / 2**30 if total else 0.0
        domains = []
        if self._cores:
            domains.append(self._cpu_domain())
        if self._gib:
            domains.append(self._memory_domain())
        return domains

    def read(self) -> dict[str, float | None]:
        """Joules since boot."""
        cpu, memory = self._cpu, self._memory
        joules: dict[str, float | None] = {}
        busy_s = self._busy_core_s()
        self._read_ns = time.monotonic_ns()
        elapsed_s = self._read_ns / 1e9
        if self._cores:
            joules["cpu"] = (
                None
                if busy_s is None
                else (self._cores * cpu.idle_w * elapsed_s + (cpu.busy_w - cpu.idle_w) * busy_s)
            )
        if self._gib:
            joules["memory"] = self._gib * memory.idle_w * elapsed_s
        return joules

    def dated_ns(self) -> int:
        """The moment for which the joules were computed; a busy machine may delay the reader."""
        return self._read_ns

    def _cpu_domain(self) -> Domain:
        cpu = self._cpu
        return Domain(
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

    def _memory_domain(self) -> Domain:
        memory = self._memory
        return Domain(
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

    def _busy_core_s(self) -> float | None:
        """Busy core-seconds since boot: user, nice, system, irq and softirq of the first line."""
        try:
            user, nice, system, _idle, _wait, irq, soft = map(
                int, text_of(self._proc / "stat").split("\n", 1)[0].split()[1:8]
            )
        except ValueError:
            return None
        return (user + nice + system + irq + soft) / self._hz
