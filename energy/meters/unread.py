"""What stands in a machine and no meter reads: named, with the reason and the mend.

The table unread_devices.csv says how each is recognised: on the PCI bus by vendor and class (and
address), or by a file that exists. Power sensors of drivers that no meter knows are listed too.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from energy.meters.files import fact_rows, text_of

SENSOR_FILES = ("power*_input", "power*_average", "energy*_input")


@dataclass(frozen=True)
class Unread:
    """Devices of one kind that are not read.

    Attributes:
        name: what they are.
        places: where they were seen: PCI addresses or paths.
        why: why they are not read.
        fix: what would make them readable.
    """

    name: str
    places: tuple[str, ...]
    why: str
    fix: str


@dataclass(frozen=True)
class Reading:
    """What a meter reads: its name, and the kind and the call of one domain."""

    meter: str
    kind: str
    api: str


def unread(readings: Iterable[Reading], root: Path = Path("/")) -> list[Unread]:
    """The devices that no meter reads, each kind once.

    Args:
        readings: what the meters of the machine do read.
        root: the root of the file system; tests pass their own.
    """
    readings = list(readings)
    kinds: dict[str, Unread] = {}
    for row, place in [*_on_the_bus(root), *_by_files(root), *_sensors(root, readings)]:
        if not any(_reads(unless, readings) for unless in row["unless"].split(";")):
            known = kinds.setdefault(row["name"], Unread(row["name"], (), row["why"], row["fix"]))
            kinds[row["name"]] = replace(known, places=(*known.places, place))
    return list(kinds.values())


def _on_the_bus(root: Path) -> Iterator[tuple[dict[str, str], str]]:
    """The row of each PCI device that has one, and its address; the first row that fits counts."""
    rows = [row for row in fact_rows("unread_devices.csv") if row["look_in"] == "pci"]
    for folder in sorted((root / "sys" / "bus" / "pci" / "devices").glob("*")):
        vendor, kind = text_of(folder / "vendor"), text_of(folder / "class")
        for row in rows:
            pattern, _, address = row["match"].partition("@")
            if fnmatch.fnmatch(f"{vendor}:{kind}", pattern) and address in ("", folder.name):
                yield row, folder.name
                break


def _by_files(root: Path) -> Iterator[tuple[dict[str, str], str]]:
    """The rows whose file exists, and its path."""
    for row in fact_rows("unread_devices.csv"):
        if row["look_in"] == "file":
            for path in sorted(root.glob(row["match"])):
                yield row, f"/{path.relative_to(root)}"


def _sensors(root: Path, readings: list[Reading]) -> Iterator[tuple[dict[str, str], str]]:
    """Drivers with sensors of power or energy that hwmon.csv does not know, and their folders."""
    rows = {row["match"]: row for row in fact_rows("unread_devices.csv")}
    for folder in sorted((root / "sys" / "class" / "hwmon").glob("hwmon*")):
        chip = text_of(folder / "name")
        files = [file.name for pattern in SENSOR_FILES for file in folder.glob(pattern)]
        if files and not any(reading.api.startswith(f"hwmon {chip} ") for reading in readings):
            unknown = {**rows["*"], "name": f"power sensor {chip or 'without a name'}"}
            yield rows.get(chip, unknown), f"/sys/class/hwmon/{folder.name}"


def _reads(unless: str, readings: list[Reading]) -> bool:
    """Whether a meter reads anything, or anything of a kind: 'nvml', 'hwmon:gpu'."""
    meter, _, kind = unless.partition(":")
    return any(r.meter == meter and kind in ("", r.kind) for r in readings)
