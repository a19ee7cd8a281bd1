"""Joules of Apple silicon through the package zeus-apple-silicon, which reads macOS's own counters.

No sudo is needed. Processor, graphics processor, neural engine and memory have a counter each; a
counter that this chip does not have is left out. The package is an optional extra.
"""

from __future__ import annotations

import platform
import sys
from typing import Any

from energy.meters.base import BaseSource, Domain, missing
from energy.meters.silence import silence

J_PER_MJ = 1e-3

FIELDS = {
    "cpu_total_mj": ("cpu", "cpu"),
    "gpu_mj": ("gpu", "gpu"),
    "ane_mj": ("neural-engine", "npu"),
    "dram_mj": ("dram", "dram"),
}
"""Counters of the package, in millijoules: the name and kind of each domain. Those of single cores
are part of cpu_total_mj; whether the graphics processor includes its SRAM is not documented, so
gpu_sram_mj is not added to it."""


class Apple(BaseSource):
    """The system on a chip of a Mac.

    Args:
        here: whether this is one; tests say so themselves.
    """

    name = "apple"

    def __init__(self, here: bool | None = None) -> None:
        mac = sys.platform == "darwin" and platform.machine() == "arm64"
        self._here = mac if here is None else here
        self._monitor: Any = None
        self._fields: dict[str, str] = {}

    def probe(self) -> list[Domain]:
        """A domain per counter that this chip has; missing without the package."""
        if not self._here:
            return []
        try:
            with silence():
                from zeus_apple_silicon import AppleEnergyMonitor

                self._monitor = AppleEnergyMonitor()
        except (ImportError, RuntimeError) as error:
            fix = "pip install 'glam-energy[apple]'"
            return [missing("apple", "cpu", "zeus-apple-silicon", str(error), fix)]
        counters = self._counters()
        self._fields = {f: name for f, (name, _) in FIELDS.items() if counters.get(f) is not None}
        if not self._fields:
            return [missing("apple", "cpu", "zeus-apple-silicon", "this chip shows no counter")]
        return [_domain(name, field) for field, name in self._fields.items()]

    def read(self) -> dict[str, float | None]:
        """Joules by domain."""
        counters = self._counters() if self._fields else {}
        return {name: counters.get(field) for field, name in self._fields.items()}

    def _counters(self) -> dict[str, float]:
        """Joules by field; a counter that could not be read is left out."""
        try:
            metrics = self._monitor.get_cumulative_energy()
        except RuntimeError:
            return {}
        values = {field: getattr(metrics, field, None) for field in FIELDS}
        return {field: mj * J_PER_MJ for field, mj in values.items() if mj is not None}


def _domain(name: str, field: str) -> Domain:
    return Domain(
        id=name,
        kind=FIELDS[field][1],
        boundary="chip",
        low=0.8,
        high=1.2,
        tick_s=0.1,
        api=f"IOReport, Energy Model: {field}",
        source="a model of the chip's own; no external check known, our default +-20 %",
    )
