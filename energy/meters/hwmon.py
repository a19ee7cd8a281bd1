"""Joules from the kernel's sensors (hwmon): Grace superchips, ACPI power meters, AMD counters.

An energy file (microjoules) is read as a counter, a power file (microwatts) as power. A Grace
module contains its processor; a plain ACPI power meter stands at the node's power supply.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from energy.meters.base import BaseSource, Domain, unreadable
from energy.meters.files import text_of

ROOT = Path("/sys/class/hwmon")
CHIPS = ("power_meter", "amd_energy")
"""Drivers whose sensors cover a processor, a module or a node; drives and fans are ignored."""

UNIT = 1e-6
"""Sensor files hold microjoules and microwatts."""


@dataclass
class Sensor:
    """One sensor file and its domain."""

    domain: Domain
    file: Path

    def value(self) -> float | None:
        """Joules or watts; None if the file cannot be read."""
        try:
            return int(self.file.read_text()) * UNIT
        except (OSError, ValueError):
            return None


class Hwmon(BaseSource):
    """The power and energy sensors below a hwmon folder.

    Args:
        root: the folder; tests pass their own.
    """

    name = "hwmon"

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._sensors: list[Sensor] = []

    def probe(self) -> list[Domain]:
        """All sensors of the known drivers; unreadable ones are missing."""
        sensors = self._listed()
        modules = {sensor.domain.id for sensor in sensors if sensor.domain.kind == "module"}
        self._sensors, domains = [], []
        for sensor in sensors:
            module = f"module-{sensor.domain.id.rsplit('-', 1)[-1]}"
            if sensor.domain.kind == "cpu" and module in modules:
                sensor.domain = replace(sensor.domain, within=module)
            if sensor.value() is None:
                domains.append(unreadable(sensor.domain, sensor.file))
            else:
                self._sensors.append(sensor)
                domains.append(sensor.domain)
        return domains

    def read(self) -> dict[str, float | None]:
        """Joules by domain."""
        return self._values("counter")

    def watts(self) -> dict[str, float | None]:
        """Watts by domain."""
        return self._values("power")

    def poll_s(self) -> float:
        """Ten readings a second if there is a power file."""
        return 0.1 if any(s.domain.method == "power" for s in self._sensors) else 0.0

    def _values(self, method: str) -> dict[str, float | None]:
        """What the sensors of a method show."""
        sensors = (sensor for sensor in self._sensors if sensor.domain.method == method)
        return {sensor.domain.id: sensor.value() for sensor in sensors}

    def _listed(self) -> list[Sensor]:
        """Every sensor file of the known drivers, readable or not."""
        sensors = []
        for folder in sorted(self._root.glob("hwmon*")):
            chip = text_of(folder / "name")
            if chip not in CHIPS:
                continue
            for file in sorted([*folder.glob("energy*_input"), *folder.glob("power*_average")]):
                stem = file.name.rsplit("_", 1)[0]
                label = text_of(folder / f"{stem}_label") or text_of(folder / f"{stem}_oem_info")
                sensors.append(Sensor(_domain(folder.name, chip, stem, label), file))
        return sensors


def _domain(folder: str, chip: str, stem: str, label: str) -> Domain:
    """The domain of a sensor, named by its label."""
    name, kind = _named(chip, label) or (f"node-{folder}-{stem}", "node")
    method = "counter" if stem.startswith("energy") else "power"
    return Domain(
        id=name,
        kind=kind,
        boundary="node" if kind == "node" else "chip",
        method=method,
        low=0.9,
        high=1.1,
        tick_s=0.0 if method == "counter" else 0.1,
        api=f"hwmon {chip} {stem} ({label or 'no label'})",
        source="firmware sensor; no external check known, our default +-10 %",
    )


def _named(chip: str, label: str) -> tuple[str, str] | None:
    """Name and kind of what a label describes; None where it describes the whole node.

    'Module Power Socket 0' is module-0, 'Grace Power Socket 0' is cpu-0, 'Ecore012' is core-012.
    """
    words = label.lower().split()
    number = words[-1] if words and words[-1].isdigit() else "0"
    if "module" in words:
        return f"module-{number}", "module"
    stems = {word.rstrip("0123456789") for word in words}
    if chip == "amd_energy" or {"grace", "cpu", "esocket"} & stems:
        if not (words and words[-1].isdigit()):
            number = "".join(c for c in label if c.isdigit()) or "0"
        return f"{'core' if 'ecore' in label.lower() else 'cpu'}-{number}", "cpu"
    if "sysio" in words:
        return f"sysio-{number}", "sysio"
    return None
