"""Joules of TPU chips by a model: no public interface tells their watts.

Watts = least + duty cycle x (greatest - least), with the published watts of the chip in chips.csv
(v3 123 to 262 W, v4 90 to 192 W) and the duty cycle of libtpu's monitoring. Chips are found by
their PCI vendor; libtpu is asked in a child that may hang without anybody waiting for it. Always
modelled, wide; a chip with no published watts is missing.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from energy.meters.base import Domain, Integral, Steady, missing

VENDOR = "0x1ae0"
PCI = Path("/sys/bus/pci/devices")
DATA = Path(__file__).resolve().parent.parent / "facts" / "data"
STALE_S = 10.0
"""A duty cycle older than this is not known; the mean power then stands in."""

NO_ORPHAN = """
import ctypes
try: ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG: a library that hangs ends with the sampler
except (OSError, AttributeError): pass
"""

ASK = """
import json, time
from libtpu.sdk import tpumonitoring
while True:
    print(json.dumps([float(x) for x in tpumonitoring.get_metric("duty_cycle_pct").data()]),
          flush=True)
    time.sleep(1)
"""


class Tpu(Steady):
    """The TPU chips on the PCI bus.

    Args:
        pci: folder of PCI devices, for tests.
        ask: program that prints a JSON list of duty cycles in per cent, a line a second.
    """

    name = "tpu"

    def __init__(self, pci: Path = PCI, ask: str = ASK) -> None:
        self._pci, self._ask = pci, ask
        self._chips: list[tuple[str, dict[str, float], Integral]] = []
        self._child: subprocess.Popen[bytes] | None = None
        self._duty: list[float] = []
        self._heard_s = float("-inf")
        self._tail = b""

    def probe(self) -> list[Domain]:
        """A domain a chip; libtpu is started only where there is one."""
        found = []
        for index, chip in enumerate(self._on_the_bus()):
            watts = _watts(chip)
            name = f"tpu-{index}"
            if watts is None:
                found.append(
                    missing(
                        name,
                        "tpu",
                        "libtpu",
                        f"nobody published the watts of {chip}",
                        "calibrate against a wall meter",
                    )
                )
                continue
            self._chips.append((name, watts, Integral()))
            # Above 80 % duty the model is within a quarter. Where no duty cycle is told the mean
            # stands for anything between idle and the greatest.
            low = min(0.6, watts["least_w"] / watts["mean_w"])
            high = max(1.6, watts["max_w"] / watts["mean_w"])
            found.append(
                Domain(
                    id=name,
                    kind="tpu",
                    boundary="chip",
                    method="model",
                    origin="modelled",
                    tick_s=1.0,
                    low=low,
                    high=high,
                    api=f"duty cycle x ({watts['least_w']:g} to {watts['max_w']:g} W) of {chip}",
                    source="published least, mean and greatest watts of the chip",
                )
            )
        if self._chips:
            command = [sys.executable, "-c", NO_ORPHAN + self._ask]
            self._child = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
            if self._child.stdout is not None:
                os.set_blocking(self._child.stdout.fileno(), False)
        return found

    def read(self) -> dict[str, float | None]:
        """Modelled joules by chip."""
        self._listen()
        now = time.monotonic()
        known = now - self._heard_s < STALE_S
        told: dict[str, float | None] = {}
        for index, (name, watts, integral) in enumerate(self._chips):
            duty = self._duty[index] / 100 if known and index < len(self._duty) else None
            span = watts["max_w"] - watts["least_w"]
            power_w = watts["mean_w"] if duty is None else watts["least_w"] + duty * span
            told[name] = integral.add(power_w, now)
        return told

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.kill()
            self._child.communicate()

    def _on_the_bus(self) -> list[str]:
        """Names of the chips, in the order of the bus."""
        chips = []
        for device in sorted(self._pci.glob("*")):
            if _text(device / "vendor") == VENDOR:
                chips.append(_chip(_text(device / "device"), _text(device / "subsystem_device")))
        return chips

    def _listen(self) -> None:
        """Take up the last whole line that the child has printed."""
        if self._child is None or self._child.stdout is None:
            return
        data = self._child.stdout.read()
        if not data:
            return
        *lines, self._tail = (self._tail + data).split(b"\n")
        if lines:
            self._duty, self._heard_s = json.loads(lines[-1]), time.monotonic()


def _chip(device: str, subsystem: str) -> str:
    with (DATA / "tpu_pci.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["device"] == device and row["subsystem"] in ("any", subsystem):
                return row["chip"]
    return f"TPU {device}"


def _watts(chip: str) -> dict[str, float] | None:
    """Least, mean and greatest watts of a chip; None where one of them is not published."""
    with (DATA / "chips.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["id"] == chip:
                least = row["idle_w"] if row["idle_w"] != "unknown" else row["min_w"]
                told = {"least_w": least, "mean_w": row["mean_w"], "max_w": row["max_w"]}
                return (
                    None if "unknown" in told.values() else {k: float(v) for k, v in told.items()}
                )
    return None


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
