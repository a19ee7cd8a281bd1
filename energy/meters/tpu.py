"""Modelled watts of TPU chips, whose watts no public interface reports.

Watts = least + activity x (greatest - least), with the published watts of the chip in chips.csv
(v3 123 to 262 W, v4 90 to 192 W). libtpu tells the duty cycle (the share of the last second in
which a TensorCore was busy), the TensorCore utilisation (the share of its peak operations) and for
how long it has been idle. A busy chip draws less at a low utilisation: the activity lies between
utilisation and duty cycle, and the middle is taken. A chip that has been idle for longer than a
second draws the least. Chips are detected by their PCI vendor. libtpu runs in a child process, so
that the sampler is not blocked if it hangs. The result is always labeled modelled, with a wide
band. While libtpu tells nothing there is no reading, and a chip without published watts is missing.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from energy.meters.base import BaseSource, Domain, missing
from energy.meters.files import fact_rows, text_of
from energy.meters.program import Program

VENDOR = "0x1ae0"
OTHER_CLASSES = ("0x01", "0x02")
"""PCI classes of the vendor's disks and network cards, which all machines of its cloud have."""

PCI = Path("/sys/bus/pci/devices")
TICK_S = 1.0
"""Seconds between two duty cycles."""

STALE_S = 3.0
"""A duty cycle older than this says nothing about the present."""

RESTART_S = 60.0
SILENT_S = 180.0
"""A monitor that has ended is started again after a minute, one that hangs after three."""

MONITOR = """
import json, re, time
from libtpu.sdk import tpumonitoring
def values(name):
    try: data = tpumonitoring.get_metric(name).data()
    except Exception: return []
    numbers_of = [re.findall(r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?", str(x)) for x in data]
    return [float(numbers[-1]) for numbers in numbers_of if numbers]
while True:
    print(json.dumps({"duty": values("duty_cycle_pct"), "utilisation": values("tensorcore_util"),
                      "idle_s": values("idle_duration")}), flush=True)
    time.sleep(1)
"""
"""Prints the metrics of libtpu 0.0.52: the duty cycle is that of a chip, the others of a core."""


@dataclass(frozen=True)
class Watts:
    """Published watts of a chip."""

    least: float
    greatest: float

    def at(self, activity: float) -> float:
        """Watts at an activity of 0 to 1."""
        return self.least + activity * (self.greatest - self.least)


@dataclass(frozen=True)
class Load:
    """What libtpu tells of one chip; None for what it does not tell.

    Attributes:
        duty: percent of the last second in which the chip was busy.
        utilisation: percent of the peak operations.
        idle_s: seconds for which the chip has been idle.
    """

    duty: float | None = None
    utilisation: float | None = None
    idle_s: float | None = None

    def activity(self) -> float | None:
        """0 for an idle chip to 1 for one at its peak; None if that is not known.

        A duty cycle of 100 % at a utilisation of 40 % gives 0.7.
        """
        if self.idle_s is not None and self.idle_s > TICK_S:
            return 0.0
        if self.duty is None and self.utilisation is None:
            return None
        most = 100.0 if self.duty is None else self.duty
        least = most if self.utilisation is None else min(self.utilisation, most)
        return (least + most) / 200 if 0 <= least <= most <= 100 else None


@dataclass(frozen=True)
class Chip:
    """One chip: its domain and its watts."""

    id: str
    watts: Watts


class Tpu(BaseSource):
    """The TPU chips on the PCI bus.

    Args:
        pci: folder of PCI devices; tests pass their own.
        monitor: program that prints, once a second, a JSON object with the lists duty and
            utilisation (percent) and idle_s (seconds).
    """

    name = "tpu"

    def __init__(self, pci: Path = PCI, monitor: str = MONITOR) -> None:
        self._pci = pci
        self._program = Program(
            (sys.executable, "-c", monitor), every_s=RESTART_S, silent_s=SILENT_S
        )
        self._chips: list[Chip] = []
        self._heard_s = 0.0

    def probe(self) -> list[Domain]:
        """One domain per chip; libtpu is started only if there is a chip."""
        domains = []
        for index, chip in enumerate(self._on_the_bus()):
            watts, name = _watts(chip), f"tpu-{index}"
            if watts is None:
                reason, fix = f"no published watts for {chip}", "calibrate against a wall meter"
                domains.append(missing(name, "tpu", "libtpu", reason, fix))
            else:
                self._chips.append(Chip(name, watts))
                domains.append(_domain(name, chip, watts))
        if self._chips:
            self._program.lines()
            self._heard_s = time.monotonic()
        return domains

    def poll_s(self) -> float:
        """Two looks at what the child has printed per duty cycle."""
        return TICK_S / 2

    def watts(self) -> dict[str, float | None]:
        """Modelled watts by chip at a new duty cycle; None if the last one is too old."""
        now = time.monotonic()
        lines = self._program.lines() if self._chips else []
        if not lines:
            stale = now - self._heard_s > STALE_S
            return {chip.id: None for chip in self._chips} if stale else {}
        self._heard_s = now
        loads = loads_of(lines[-1], len(self._chips))
        activities = [load.activity() for load in loads]
        return {
            chip.id: None if activity is None else chip.watts.at(activity)
            for chip, activity in zip(self._chips, activities, strict=True)
        }

    def close(self) -> None:
        """End the child process."""
        self._program.close()

    def _on_the_bus(self) -> list[str]:
        """Names of the chips, in bus order."""
        return [
            _chip(text_of(device / "device"), text_of(device / "subsystem_device"))
            for device in sorted(self._pci.glob("*"))
            if text_of(device / "vendor") == VENDOR
            and not text_of(device / "class").startswith(OTHER_CLASSES)
        ]


def loads_of(line: str | None, chips: int) -> list[Load]:
    """What a line of the monitor tells of each chip; nothing if the line cannot be read.

    A list with several values per chip is one of cores: their mean counts, and the shortest idle
    time.
    """
    try:
        answer: Any = json.loads(line or "")
        cores = {
            name: _by_chip([float(value) for value in answer[name]], chips)
            for name in ("duty", "utilisation", "idle_s")
        }
    except (ValueError, TypeError, KeyError):
        return [Load()] * chips
    duty, utilisation, idle_s = cores["duty"], cores["utilisation"], cores["idle_s"]
    return [
        Load(
            duty=sum(duty[i]) / len(duty[i]) if duty else None,
            utilisation=sum(utilisation[i]) / len(utilisation[i]) if utilisation else None,
            idle_s=min(idle_s[i]) if idle_s else None,
        )
        for i in range(chips)
    ]


def _by_chip(values: list[float], chips: int) -> list[list[float]]:
    """The values of the cores of each chip; none if they cannot be shared out."""
    each, rest = divmod(len(values), chips)
    return [] if rest or not each else [values[i * each : (i + 1) * each] for i in range(chips)]


def _domain(name: str, chip: str, watts: Watts) -> Domain:
    # Above 80 % duty the model is within a quarter; below, a step that waits for its network may
    # draw much more than an idle chip at the same duty cycle.
    return Domain(
        id=name,
        kind="tpu",
        boundary="chip",
        method="power",
        origin="modelled",
        tick_s=TICK_S,
        limit_w=watts.greatest,
        low=0.6,
        high=1.6,
        api=f"libtpu activity x ({watts.least:g} to {watts.greatest:g} W) of {chip}",
        source="published least and greatest watts of the chip",
    )


def _chip(device: str, subsystem: str) -> str:
    """The chip of a PCI device and subsystem id: its row in chips.csv, else "TPU 0x00ff"."""
    for row in fact_rows("tpu_pci.csv"):
        if row["device"] == device and row["subsystem"] in ("any", subsystem):
            return row["chip"]
    return f"TPU {device}"


def _watts(chip: str) -> Watts | None:
    """Published watts of a chip; None if one of them is not published."""
    for row in fact_rows("chips.csv"):
        if row["id"] == chip:
            least = row["idle_w"] if row["idle_w"] != "unknown" else row["min_w"]
            cells = (least, row["max_w"])
            return None if "unknown" in cells else Watts(*map(float, cells))
    return None
