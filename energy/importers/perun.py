"""The table that perun writes (`perun monitor --format csv`): all sensors over time.

A sensor of watts is read by power, one of joules is a counter. Package counters contain those of
their cores, so that only packages, memory and boards count.
"""

from __future__ import annotations

import re

from energy.importers.imported import Device, Hints, ImportedRun, Importer, Skipped, board, number
from energy.importers.moments import Clock, in_order, in_range
from energy.importers.tables import rows_of
from energy.meters.base import Domain

NEEDED = ("run id", "hostname", "device_group", "sensor", "unit", "magnitude", "timestep", "value")

STAMP = re.compile(r"_(\d{4}-\d\d-\d\dT\d\d[:_]\d\d[:_]\d\d(?:\.\d+)?)")
"""The begin of the run in the name of its file; a copy may have lost the colons."""

ENERGY_UNITS = ("W", "J")

RAPL = (0.9, 1.1)
"""Band of the counters of processors, between those of two makers."""

KINDS = {"cpu": "cpu", "ram": "dram", "gpu": "gpu"}

Values = dict[tuple[str, str, str, str], list[tuple[float, float]]]
"""Seconds and values by host, group, sensor and unit."""


def recognizes(text: str) -> bool:
    """Whether its columns stand in the first line."""
    first = text.lstrip("\ufeff").partition("\n")[0]
    return "device_group" in first and "timestep" in first and "magnitude" in first


def read(text: str, hints: Hints) -> list[ImportedRun]:
    """A run for each round."""
    skipped = Skipped()
    rounds: dict[str, Values] = {}
    for line, row in rows_of(text, NEEDED, skipped, "a table of perun"):
        if row["unit"] not in ENERGY_UNITS:
            continue
        try:
            time_s = in_range(float(row["timestep"]))
            value = number(row["value"]) * number(row["magnitude"], 0, 1e3)
        except ValueError:
            skipped.add(line)
            continue
        key = row["hostname"], row["device_group"], row["sensor"], row["unit"]
        rounds.setdefault(row["run id"], {}).setdefault(key, []).append((time_s, value))
    runs = [_run(name, values, skipped, hints) for name, values in rounds.items()]
    return [run for run in runs if run.devices]


def _run(name: str, values: Values, skipped: Skipped, hints: Hints) -> ImportedRun:
    begin_s, notes = _begin(hints)
    hosts = sorted({host for host, _, _, _ in values})
    devices = []
    for (host, group, sensor, unit), points in values.items():
        domain = _domain(group, sensor, unit, host if len(hosts) > 1 else "")
        if domain is None:
            notes.append(f"{sensor} left out: it is a part of another sensor, or may be")
            continue
        ordered, more = in_order([(begin_s + time_s, value) for time_s, value in points])
        notes += more
        if unit == "W":
            devices.append(Device(domain, powers=[*ordered]))
        else:
            devices.append(Device(domain, counts=[*ordered]))
    boards = sum(device.domain.kind == "gpu" for device in devices)
    return ImportedRun(
        name=f"perun-{name}",
        devices=devices,
        chips=max(1, boards),
        host=hosts[0] if len(hosts) == 1 else "",
        facts={"hosts": ", ".join(hosts)},
        notes=[*skipped.notes(), *dict.fromkeys(notes)],
    )


def _begin(hints: Hints) -> tuple[float, list[str]]:
    """When the run began, as the name of its file has it, and what is to be said of that."""
    clock = Clock(hints.timezone)
    match = STAMP.search(hints.file)
    try:
        begin_s = clock.seconds(match.group(1).replace("_", ":")) if match else 0.0
    except ValueError as error:
        return 0.0, [f"the moment in the name of the file cannot be read ({error})"]
    return begin_s, clock.notes()


def _domain(group: str, sensor: str, unit: str, host: str) -> Domain | None:
    """What a sensor meters; None for parts of others."""
    name = f"{host}:{sensor}" if host else sensor
    api = f"perun, {sensor}"
    if group == "gpu":
        return board(name, "", api, by_power=unit == "W")
    if group not in KINDS or (group == "cpu" and "package" not in sensor.lower()):
        return None
    return Domain(
        id=name,
        kind=KINDS[group],
        boundary="chip",
        method="power" if unit == "W" else "counter",
        api=api,
        low=RAPL[0],
        high=RAPL[1],
        meter=name,
        source="counters of processors, 10 %",
    )


IMPORTER = Importer(
    "perun", "a table of perun", "perun monitor --format csv SCRIPT", recognizes, read
)
