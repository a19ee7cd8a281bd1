"""Modelled watts of TPU chips, whose watts no public interface reports.

Watts = least + duty cycle x (greatest - least), with the published watts of the chip in chips.csv
(v3 123 to 262 W, v4 90 to 192 W) and the duty cycle from libtpu's monitoring. Chips are detected by
their PCI vendor. libtpu runs in a child process, so that the sampler is not blocked if it hangs.
The result is always labeled modelled, with a wide band. While libtpu tells no duty cycle there is
no reading, and a chip without published watts is missing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from energy.meters.base import BaseSource, Domain, missing
from energy.meters.files import fact_rows, text_of

VENDOR = "0x1ae0"
PCI = Path("/sys/bus/pci/devices")
TICK_S = 1.0
"""Seconds between two duty cycles."""

STALE_S = 3.0
"""A duty cycle older than this says nothing about the present."""

DIE_WITH_PARENT = """
import ctypes
try: ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG: a hung library dies with the sampler
except (OSError, AttributeError): pass
"""

MONITOR = """
import json, time
from libtpu.sdk import tpumonitoring
while True:
    print(json.dumps([float(x) for x in tpumonitoring.get_metric("duty_cycle_pct").data()]),
          flush=True)
    time.sleep(1)
"""


@dataclass(frozen=True)
class Watts:
    """Published watts of a chip."""

    least: float
    greatest: float

    def at(self, duty: float) -> float:
        """Watts at a duty cycle of 0 to 1."""
        return self.least + duty * (self.greatest - self.least)


@dataclass
class Chip:
    """One chip: its domain and its watts."""

    id: str
    watts: Watts


class Tpu(BaseSource):
    """The TPU chips on the PCI bus.

    Args:
        pci: folder of PCI devices; tests pass their own.
        monitor: program that prints a JSON list of duty cycles in percent, one line a second.
    """

    name = "tpu"

    def __init__(self, pci: Path = PCI, monitor: str = MONITOR) -> None:
        self._pci, self._monitor = pci, monitor
        self._chips: list[Chip] = []
        self._child: subprocess.Popen[bytes] | None = None
        self._duty: list[float] = []
        self._duty_s = 0.0
        self._tail = b""

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
            self._start_monitor()
        return domains

    def poll_s(self) -> float:
        """Two looks at what the child has printed per duty cycle."""
        return TICK_S / 2

    def watts(self) -> dict[str, float | None]:
        """Modelled watts by chip at a new duty cycle; None if the last one is too old."""
        if self._take_duty():
            duty: list[float | None] = [*self._duty, *[None] * len(self._chips)]
            return {
                chip.id: None if share is None else chip.watts.at(share / 100)
                for chip, share in zip(self._chips, duty, strict=False)
            }
        stale = time.monotonic() - self._duty_s > STALE_S
        return dict.fromkeys((chip.id for chip in self._chips), None) if stale else {}

    def close(self) -> None:
        """End the child process."""
        if self._child is not None:
            self._child.kill()
            self._child.communicate()

    def _on_the_bus(self) -> list[str]:
        """Names of the chips, in bus order."""
        return [
            _chip(text_of(device / "device"), text_of(device / "subsystem_device"))
            for device in sorted(self._pci.glob("*"))
            if text_of(device / "vendor") == VENDOR
        ]

    def _start_monitor(self) -> None:
        command = [sys.executable, "-c", DIE_WITH_PARENT + self._monitor]
        self._child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self._duty_s = time.monotonic()
        if self._child.stdout is not None:
            os.set_blocking(self._child.stdout.fileno(), False)

    def _take_duty(self) -> bool:
        """Take the last whole line that the child has printed; returns whether there is one."""
        if self._child is None or self._child.stdout is None:
            return False
        *lines, self._tail = (self._tail + (self._child.stdout.read() or b"")).split(b"\n")
        if lines:
            self._duty, self._duty_s = json.loads(lines[-1]), time.monotonic()
        return bool(lines)


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
        api=f"duty cycle x ({watts.least:g} to {watts.greatest:g} W) of {chip}",
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
