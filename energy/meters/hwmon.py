"""Joules of the kernel's sensors (hwmon): Grace superchips, ACPI power meters, AMD energy counters.

An energy file (microjoules) is read as a counter, a power file (microwatts) is integrated. A
Grace module holds its processor; a plain ACPI power meter stands at the supply of the node.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from energy.meters.base import Domain, Integral, Steady

ROOT = Path("/sys/class/hwmon")
CHIPS = ("power_meter", "amd_energy")
"""Drivers whose sensors are a processor, a module or a node; drives and fans are not counted."""

UNIT = 1e-6


@dataclass
class Sensor:
    """One file and its domain."""

    domain: Domain
    file: Path
    integral: Integral = field(default_factory=Integral)

    def joules(self) -> float | None:
        """Joules so far; None when the file cannot be read."""
        try:
            value = int(self.file.read_text()) * UNIT
        except (OSError, ValueError):
            return None
        if self.domain.method == "counter":
            return value
        return self.integral.add(value, time.monotonic())


class Hwmon(Steady):
    """The power and energy sensors below a hwmon folder.

    Args:
        root: the folder, for tests.
    """

    name = "hwmon"

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._sensors: list[Sensor] = []

    def probe(self) -> list[Domain]:
        """Sensors with their places; unreadable ones are missing."""
        self._sensors = []
        for folder in sorted(self._root.glob("hwmon*")):
            chip = _text(folder / "name")
            if chip not in CHIPS:
                continue
            for file in sorted([*folder.glob("energy*_input"), *folder.glob("power*_average")]):
                stem = file.name.rsplit("_", 1)[0]
                label = _text(folder / f"{stem}_label") or _text(folder / f"{stem}_oem_info")
                self._sensors.append(Sensor(_domain(folder.name, chip, stem, label), file))
        modules = {s.domain.id for s in self._sensors if s.domain.kind == "module"}
        found = []
        for sensor in self._sensors:
            domain = sensor.domain
            socket = f"module-{domain.id.rsplit('-', 1)[-1]}"
            if domain.kind == "cpu" and socket in modules:
                domain = sensor.domain = Domain(**{**domain.as_dict(), "within": socket})
            if sensor.joules() is None:
                domain = Domain(
                    **{
                        **domain.as_dict(),
                        "origin": "missing",
                        "reason": "permission",
                        "fix": f"sudo chmod o+r {sensor.file}",
                    }
                )
            found.append(domain)
        self._sensors = [s for s, d in zip(self._sensors, found, strict=True) if not d.reason]
        return found

    def read(self) -> dict[str, float | None]:
        """Joules by domain."""
        return {sensor.domain.id: sensor.joules() for sensor in self._sensors}

    def poll_s(self) -> float:
        """Ten readings a second where a power is integrated."""
        return 0.1 if any(s.domain.method == "power" for s in self._sensors) else 0.0


def _domain(place: str, chip: str, stem: str, label: str) -> Domain:
    """'Module Power Socket 0' is module-0, 'Grace Power Socket 0' cpu-0, no label the node."""
    words = label.lower().split()
    number = words[-1] if words and words[-1].isdigit() else "0"
    if "module" in words:
        kind, boundary, name = "module", "chip", f"module-{number}"
    elif chip == "amd_energy" or {"grace", "cpu", "esocket"} & {
        w.rstrip("0123456789") for w in words
    }:
        if not words[-1].isdigit():
            number = "".join(c for c in label if c.isdigit()) or "0"
        kind, boundary, name = (
            "cpu",
            "chip",
            f"{'core' if 'ecore' in label.lower() else 'cpu'}-{number}",
        )
    elif "sysio" in words:
        kind, boundary, name = "sysio", "chip", f"sysio-{number}"
    else:
        kind, boundary, name = "node", "node", f"node-{place}-{stem}"
    method = "counter" if stem.startswith("energy") else "power"
    return Domain(
        id=name,
        kind=kind,
        boundary=boundary,
        method=method,
        low=0.9,
        high=1.1,
        tick_s=0.0 if method == "counter" else 0.1,
        api=f"hwmon {chip} {stem} ({label or 'no label'})",
        source="firmware sensor; no external check known, our default +-10 %",
    )


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
