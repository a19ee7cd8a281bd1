"""Modelled joules of the processor and the memory, for machines whose meters cannot be read.

Processor: idle watts x time + (busy - idle) watts x busy core-seconds, from /proc/stat. Memory:
watts per GiB x time. The watts come from the processor's row in chips.csv, if /proc/cpuinfo names
one, scaled to the share of its cores that is visible here. In a container or a Slurm job they are
those of its share: the cores and the GiB that it may use, and the core-seconds that it used. Like a
counter, both values are cumulative since boot, so a restart loses nothing. Neither is ever labeled
measured: the processor is modelled and the memory assumed, both with wide bands.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from energy.meters import cpu_rows
from energy.meters.base import BaseSource, Domain
from energy.meters.files import text_of
from energy.meters.share import Share, share

GIB = 1 << 30


class CpuModel(BaseSource):
    """The processor and memory of this machine, modelled from utilization.

    Args:
        proc: the proc file system; tests pass their own.
        groups: where the control groups are mounted; by default beside it, in sys/fs/cgroup.
    """

    name = "cpu_model"

    def __init__(self, proc: Path = Path("/proc"), groups: Path | None = None) -> None:
        self._proc = proc
        self._groups = proc.parent / "sys" / "fs" / "cgroup" if groups is None else groups
        self._share = Share()
        self._memory = cpu_rows.defaults()["memory"]
        self._cpu = cpu_rows.defaults()["cpu"]
        self._hz = os.sysconf("SC_CLK_TCK")
        self._all_cores, self._all_gib = 0, 0.0
        self._cores, self._gib = 0.0, 0.0
        self._read_ns = 0

    def probe(self) -> list[Domain]:
        """Processor and memory, as far as /proc can be read."""
        self._cpu = cpu_rows.watts(text_of(self._proc / "cpuinfo"))
        info = text_of(self._proc / "meminfo")
        self._all_cores = sum(name[3:].isdigit() for name, _ in self._times())
        total = next((line for line in info.splitlines() if line.startswith("MemTotal")), "")
        self._all_gib = int(total.split()[1]) * 1024 / GIB if total else 0.0
        limits = self._share = share(self._proc, self._groups)
        self._cores, self._gib = float(self._all_cores), self._all_gib
        if limits.cores is not None:
            self._cores = min(self._cores, limits.cores.value)
        if limits.memory is not None:
            self._gib = min(self._gib, limits.memory.value / GIB)
        domains = []
        if self._all_cores:
            domains.append(self._cpu_domain())
        if self._all_gib:
            domains.append(self._memory_domain())
        return domains

    def read(self) -> dict[str, float | None]:
        """Joules since boot."""
        cpu, memory = self._cpu, self._memory
        joules: dict[str, float | None] = {}
        busy_s = self._busy_core_s()
        self._read_ns = time.monotonic_ns()
        elapsed_s = self._read_ns / 1e9
        if self._all_cores:
            joules["cpu"] = (
                None
                if busy_s is None
                else (self._cores * cpu.idle_w * elapsed_s + (cpu.busy_w - cpu.idle_w) * busy_s)
            )
        if self._all_gib:
            joules["memory"] = self._gib * memory.idle_w * elapsed_s
        return joules

    def dated_ns(self) -> int:
        """The moment for which the joules were computed; a busy machine may delay the reader."""
        return self._read_ns

    def _cpu_domain(self) -> Domain:
        cpu, limit = self._cpu, self._share.cores
        part, guess, spread = f"{self._all_cores} cores", "", 1.0
        if limit is not None and self._cores < self._all_cores:
            part = f"{self._cores:.4g} of {self._all_cores} cores ({limit.name})"
            if not self._share.cpus and self._share.used_core_s() is None:
                guess = ", taken to be as busy as all cores"
                spread = cpu.busy_w / cpu.idle_w
        return Domain(
            id="cpu",
            kind="cpu",
            boundary="chip",
            method="model",
            origin="modelled",
            limit_w=self._cores * cpu.busy_w,
            api=f"/proc/stat: {part} x ({cpu.idle_w:.3g} W idle to {cpu.busy_w:.3g} W busy){guess}",
            low=cpu.low / spread,
            high=cpu.high * spread,
            source=cpu.source,
        )

    def _memory_domain(self) -> Domain:
        memory, limit = self._memory, self._share.memory
        part = f"{self._gib:.1f} GiB"
        if limit is not None and self._gib < self._all_gib:
            part = f"{self._gib:.1f} of {self._all_gib:.1f} GiB ({limit.name})"
        return Domain(
            id="memory",
            kind="memory",
            boundary="chip",
            method="constant",
            origin="assumed",
            limit_w=self._gib * memory.idle_w,
            api=f"{part} x {memory.idle_w} W",
            low=memory.low,
            high=memory.high,
            source=memory.source,
        )

    def _busy_core_s(self) -> float | None:
        """Busy core-seconds of our share since a fixed moment; None if they cannot be read."""
        if self._cores == self._all_cores:
            return next((seconds for _, seconds in self._times()), None)
        if self._share.cpus:
            own = {f"cpu{number}" for number in self._share.cpus}
            busy_s = [seconds for name, seconds in self._times() if name in own]
            return sum(busy_s) if busy_s else None
        used_s = self._share.used_core_s()
        if used_s is None:
            all_s = next((seconds for _, seconds in self._times()), None)
            used_s = None if all_s is None else all_s * self._cores / self._all_cores
        return used_s

    def _times(self) -> Iterator[tuple[str, float]]:
        """Busy seconds of all cores together ("cpu") and of each ("cpu0"), since boot.

        They are the columns user, nice, system, irq and softirq.
        """
        for line in text_of(self._proc / "stat").splitlines():
            name, *columns = line.split()
            if not name.startswith("cpu"):
                return
            try:
                user, nice, system, _idle, _wait, irq, soft = map(int, columns[:7])
            except ValueError:
                return
            yield name, (user + nice + system + irq + soft) / self._hz
