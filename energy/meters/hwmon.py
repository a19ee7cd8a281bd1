"""Joules from the kernel's sensors (hwmon): servers, superchips, Intel cards and Jetson modules.

`hwmon.csv` says which files of which driver are read, and their unit. An energy file is read as a
counter, a power file as power; an INA3221 states voltage and current, whose product is the power. A
Grace or Jetson module contains its parts, an Intel card its package; a plain ACPI power meter
stands at the node's power supply. Drives, fans and batteries are not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from energy.meters.base import BaseSource, Domain, unreadable
from energy.meters.files import fact_rows, text_of
from energy.meters.hwmon_names import named

ROOT = Path("/sys/class/hwmon")
IIO = Path("/sys/bus/iio/devices")
"""Where JetPack 4 shows the INA3221."""

W_PER_UW = 1e-6


@dataclass(frozen=True)
class Sensor:
    """The file of one sensor, its unit, and its domain.

    Attributes:
        domain: what it meters.
        file: the file with the value.
        unit: joules or watts of 1.
        times: a second file; the value is the product of both.
    """

    domain: Domain
    file: Path
    unit: float
    times: Path | None = None

    def value(self) -> float | None:
        """Joules or watts; None if a file cannot be read or the value is negative."""
        try:
            value = int(self.file.read_text()) * self.unit
            if self.times is not None:
                value *= int(self.times.read_text())
        except (OSError, ValueError):
            return None
        return value if value >= 0 else None


class Hwmon(BaseSource):
    """The power and energy sensors below a hwmon folder.

    Args:
        root: the folder; tests pass their own.
        iio: the folder of the industrial I/O sensors.
    """

    name = "hwmon"

    def __init__(self, root: Path = ROOT, iio: Path = IIO) -> None:
        self._root, self._iio = root, iio
        self._sensors: list[Sensor] = []

    def probe(self) -> list[Domain]:
        """All sensors of the known drivers; unreadable ones are missing."""
        domains = []
        for sensor in self._all():
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

    def _all(self) -> list[Sensor]:
        """Every sensor file of the known drivers, readable or not, within what contains it."""
        rows = {row["chip"]: row for row in fact_rows("hwmon.csv")}
        sensors: list[tuple[Sensor, tuple[str, ...]]] = []
        for folder in sorted([*self._root.glob("hwmon*"), *self._iio.glob("iio:device*")]):
            row = rows.get(text_of(folder / "name"))
            sensors += _listed(folder, row) if row else []
        names = {sensor.domain.id for sensor, _ in sensors}
        return [
            replace(sensor, domain=replace(sensor.domain, within=next(iter(around), None)))
            for sensor, outer in sensors
            for around in [[name for name in outer if name in names]]
        ]


def _listed(folder: Path, row: dict[str, str]) -> Iterator[tuple[Sensor, tuple[str, ...]]]:
    """The sensors of a folder, and the names of what contains each, the nearest first."""
    for file in sorted(folder.glob(row["files"])):
        stem = file.name.rsplit("_", 1)[0]
        number = "".join(c for c in stem if c.isdigit())
        labels = (f"{stem}_label", f"{stem}_oem_info", f"rail_name_{number}")
        label = next((text for name in labels if (text := text_of(folder / name))), "")
        name = named(row["chip"], row["kind"], folder, stem, label)
        if name is None:
            continue
        domain = Domain(
            id=name.id,
            kind=name.kind,
            boundary="node" if name.kind == "node" else "chip",
            method=row["method"],
            low=float(row["low"]),
            high=float(row["high"]),
            tick_s=float(row["tick_s"]),
            limit_w=_limit_w(folder, row["limit"].replace("#", number)),
            api=f"hwmon {row['chip']} {stem} ({label or 'no label'})",
            source=row["source"],
        )
        times = folder / row["times"].replace("*", number) if row["times"] != "none" else None
        yield Sensor(domain, file, float(row["unit"]), times), name.within


def _limit_w(folder: Path, limit: str) -> float:
    """The most that a device can draw: a number of watts, or what the first file of these says."""
    for word in limit.split():
        text = text_of(folder / word)
        if text.isdecimal() and int(text):
            return int(text) * W_PER_UW
    return float(limit) if limit.isdecimal() else 0.0
