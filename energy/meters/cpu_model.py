"""Joules of the processor and the memory by a model, for machines where no meter can be read.

Processor: idle watts x time + (busy - idle) watts x busy core-seconds, from /proc/stat. Memory:
watts per GiB x time. Both are cumulative since boot, like a counter, so a restart loses nothing.
They are never called measured: the processor is modelled, the memory assumed, with wide bands.
"""

from __future__ import annotations

import csv
import os
import time
from dataclasses import dataclass
from pathlib import Path

from energy.meters.base import Domain, Steady

_DATA = Path(__file__).resolve().parent.parent / "data" / "cpu_defaults.csv"


@dataclass(frozen=True)
class Default:
    """A row of cpu_defaults.csv: watts of one core or of one GiB, idle and busy."""

    idle_w: float
    busy_w: float
    low: float
    high: float
    source: str


def defaults() -> dict[str, Default]:
    """The rows of cpu_defaults.csv by kind."""
    with _DATA.open(encoding="utf-8") as file:
        return {
            row["kind"]: Default(
                float(row["idle_w"]), float(row["busy_w"]), float(row["low_factor"]),
                float(row["high_factor"]), row["source"],
            )
            for row in csv.DictReader(file)
        }  # fmt: skip


class CpuModel(Steady):
    """The processor and memory of this machine, by utilisation.

    Args:
        proc: the proc file system, for tests.
    """

    name = "cpu_model"

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._rows = defaults()
        self._hz = os.sysconf("SC_CLK_TCK")
        self._cores, self._gib = 0, 0.0

    def probe(self) -> list[Domain]:
        """Processor and memory, where /proc can be read."""
        cpu, memory = self._rows["cpu"], self._rows["memory"]
        stat, info = self._text("stat"), self._text("meminfo")
        self._cores = sum(line[:3] == "cpu" and line[3].isdigit() for line in stat.splitlines())
        total = next((line for line in info.splitlines() if line.startswith("MemTotal")), "")
        self._gib = int(total.split()[1]) * 1024 / 2**30 if total else 0.0
        found = []
        if self._cores:
            found.append(
                Domain(
                    id="cpu", kind="cpu", boundary="chip", method="model", origin="modelled",
                    api=f"/proc/stat: {self._cores} cores x ({cpu.idle_w} W idle to {cpu.busy_w} W "
                    "busy)",
                    low=cpu.low, high=cpu.high, source=cpu.source,
                )
            )  # fmt: skip
        if self._gib:
            found.append(
                Domain(
                    id="memory", kind="memory", boundary="chip", method="constant",
                    origin="assumed", api=f"{self._gib:.1f} GiB x {memory.idle_w} W",
                    low=memory.low, high=memory.high, source=memory.source,
                )
            )  # fmt: skip
        return found

    def read(self) -> dict[str, float | None]:
        """Joules since boot."""
        elapsed_s = time.monotonic()
        cpu, memory = self._rows["cpu"], self._rows["memory"]
        found: dict[str, float | None] = {}
        if self._cores:
            busy_s = self._busy_core_s()
            found["cpu"] = None if busy_s is None else (
                self._cores * cpu.idle_w * elapsed_s + (cpu.busy_w - cpu.idle_w) * busy_s
            )  # fmt: skip
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
