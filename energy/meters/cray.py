"""Joules of a Cray node from its own counters (/sys/cray/pm_counters), ten times a second.

`energy` is that of the whole node and contains `cpu_energy`, `memory_energy` and, where there are
accelerators, `accel0_energy` and so on; what is left belongs to the rest of the node. The firmware
writes all files of one scan and then counts `freshness` up: a set of files is consistent if that
number is the same before and after they are read, and old if it stands still.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

from energy.meters.base import BaseSource, Domain, unreadable
from energy.meters.files import text_of

ROOT = Path("/sys/cray/pm_counters")

SCAN_HZ = 10.0
"""Scans a second where `raw_scan_hz` does not say."""

TRIES = 3
"""How often the files are read again where a scan ended while they were read."""

STALE_S = 3.0
"""Counters that have not been written for so long are no readings."""

KINDS = {"": "node", "cpu": "cpu", "memory": "dram", "accel": "gpu"}


@dataclass(frozen=True)
class Counter:
    """One file and its domain."""

    domain: Domain
    file: Path


class Cray(BaseSource):
    """The counters of a Cray EX or XC node.

    Args:
        root: the folder; tests pass their own.
        stale_s: how long `freshness` may stand still.
    """

    name = "cray"

    def __init__(self, root: Path = ROOT, stale_s: float = STALE_S) -> None:
        self._root, self._stale_s = root, stale_s
        self._counters: list[Counter] = []
        self._fresh, self._fresh_s = "", 0.0

    def probe(self) -> list[Domain]:
        """The node and its parts; unreadable ones are missing."""
        domains = []
        for file in sorted(self._root.glob("*energy")):
            match = re.fullmatch(r"(?:(cpu|memory|accel)(\d*)_)?energy", file.name)
            if match is None:
                continue
            domain = self._domain(match[1] or "", match[2] or "")
            if _joules(file) is None:
                domains.append(unreadable(domain, file))
            else:
                self._counters.append(Counter(domain, file))
                domains.append(domain)
        self._fresh_s = time.monotonic()
        return domains

    def read(self) -> dict[str, float | None]:
        """Joules of one scan by domain; all None if the files are old or no scan stood still."""
        for _ in range(TRIES):
            fresh = text_of(self._root / "freshness")
            joules = {counter.domain.id: _joules(counter.file) for counter in self._counters}
            if fresh == text_of(self._root / "freshness"):
                return joules if self._is_live(fresh) else dict.fromkeys(joules)
        return dict.fromkeys(joules)

    def _is_live(self, fresh: str) -> bool:
        """Whether the firmware still writes the files."""
        now = time.monotonic()
        if fresh != self._fresh:
            self._fresh, self._fresh_s = fresh, now
        return now - self._fresh_s <= self._stale_s

    def _domain(self, part: str, number: str) -> Domain:
        node = part == ""
        scan_hz = text_of(self._root / "raw_scan_hz")
        return Domain(
            id=f"cray-{part}{number}" if part else "cray-node",
            kind=KINDS[part],
            boundary="node" if node else "chip",
            within=None if node else "cray-node",
            tick_s=1 / (float(scan_hz) if scan_hz.isdecimal() and int(scan_hz) else SCAN_HZ),
            low=0.9,
            high=1.1,
            api=f"pm_counters {f'{part}{number}_' if part else ''}energy",
            source="the blade's own sensors; no external check known, our default +-10 %",
        )


def _joules(file: Path) -> float | None:
    """The joules in '1234567 J 1734094386462336 us' or '1234567 J'; None if there are none."""
    match = re.match(r"(\d+)\s*J\b", text_of(file))
    return float(match[1]) if match else None
