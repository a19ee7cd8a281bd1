"""Logs of `nvidia-smi --query-gpu=timestamp,index,power.draw --format=csv -l 1`."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from energy.errors import InputError
from energy.importers.imported import Device, Hints, ImportedRun, Importer, Skipped, board, number
from energy.importers.moments import Clock
from energy.importers.tables import cells_of
from energy.meters.waveform import POWERS, STAMP

BELOW_ZERO = "their power is below 0 and counts as a reading that failed"


def recognizes(text: str) -> bool:
    """Whether one of the first lines has its columns."""
    return any(
        "timestamp" in line and any(power in line for power in POWERS) for line in text.splitlines()
    )


def read(text: str, hints: Hints) -> list[ImportedRun]:
    """The boards of a log, each with its watts over time.

    A power in brackets ([N/A]) or below 0 is a reading that failed.
    """
    clock, skipped = Clock(hints.timezone), Skipped()
    names: list[str] = []
    rows: list[tuple[float, tuple[str, float | None]]] = []
    products: dict[str, str] = {}
    turn = itertools.cycle(range(hints.chips or 1))
    for line, cells in cells_of(text):
        if "timestamp" in cells:
            names = [name.split(" [")[0] for name in cells]
            continue
        place = next(turn)
        try:
            values = dict(zip(names, cells, strict=True))
            time_s = clock.seconds(values["timestamp"], STAMP)
            name, watts = _board(values, place), _watts(values)
        except (ValueError, KeyError):
            skipped.add(line)
            continue
        if watts is not None and watts < 0:
            skipped.add(line, BELOW_ZERO)
            watts = None
        rows.append((time_s, (name, watts)))
        products.setdefault(name, values.get("name", ""))
    return [_run(clock, rows, products, skipped, hints)] if rows else []


def _board(values: Mapping[str, str], place: int) -> str:
    """A board by its UUID or its index; in a log that names none, by its place in the round."""
    if values.get("uuid"):
        return values["uuid"]
    return f"gpu-{values.get('index') or values.get('pci.bus_id') or place}"


def _watts(values: Mapping[str, str]) -> float | None:
    text = next((values[power] for power in POWERS if power in values), "no such column")
    return None if text.startswith("[") else number(text.removesuffix(" W"), -1e6, 1e6)


def _run(
    clock: Clock,
    rows: list[tuple[float, tuple[str, float | None]]],
    products: Mapping[str, str],
    skipped: Skipped,
    hints: Hints,
) -> ImportedRun:
    ordered, notes = clock.ordered(rows)
    devices = {
        name: Device(board(name, product, "nvidia-smi, power.draw", by_power=True))
        for name, product in products.items()
    }
    for time_s, (name, watts) in ordered:
        powers = devices[name].powers
        if powers and powers[-1][0] == time_s:
            raise InputError(
                f"expected one power of {name} a moment in {hints.file}",
                "several",
                "if the log has N boards in turn, add --chips N; in a new log, query index or uuid",
            )
        powers.append((time_s, watts))
    return ImportedRun(
        devices=list(devices.values()),
        chips=len(devices),
        chip=next(filter(None, products.values()), ""),
        notes=[*skipped.notes(), *notes],
    )


IMPORTER = Importer(
    "nvidia-smi",
    "a log of nvidia-smi",
    "nvidia-smi --query-gpu=timestamp,index,uuid,name,power.draw --format=csv -l 1 > FILE",
    recognizes,
    read,
)
