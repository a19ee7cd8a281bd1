"""Power logs of MLPerf: those of training (":::MLLOG" lines) and those of SPEC's PTDaemon.

A reading of the training log counts for the time since the one before (MLPerf's training power
rule). Its conversion efficiency is not applied: the joules are those that were read.
"""

from __future__ import annotations

import json
from typing import Any

from energy.importers.imported import (
    UNREADABLE,
    Device,
    Hints,
    ImportedRun,
    Importer,
    Skipped,
    node,
    number,
)
from energy.importers.moments import Clock, in_order, in_range, pace_of
from energy.importers.tables import cells_of
from energy.inputs import MOST_DEPTH, depth

MARK = ":::MLLOG"

READING, START, STOP, EFFICIENCY = (
    "power_reading",
    "power_measurement_start",
    "power_measurement_stop",
    "conversion_eff",
)

PTD_STAMP = "%m-%d-%Y %H:%M:%S.%f"

HOLD = 3
"""A reading counts for so many usual steps at most; a longer one is a gap."""

Event = tuple[float, tuple[str, str, float]]
"""Moment, and key, host and value."""


def recognizes_training(text: str) -> bool:
    """Whether a text has readings of a training."""
    return MARK in text and f'"{READING}"' in text


def read_training(text: str, hints: Hints) -> list[ImportedRun]:
    """The nodes of a log."""
    skipped = Skipped()
    events: list[Event] = []
    for line, content in enumerate(text.splitlines(), 1):
        if MARK not in content:
            continue
        try:
            event = _event(content.partition(MARK)[2])
        except UNREADABLE:
            skipped.add(line)
            continue
        if event:
            events.append(event)
    ordered, notes = in_order(events)
    begin_s = next((time_s for time_s, (key, _, _) in ordered if key == START), None)
    stop_s = next((time_s for time_s, (key, _, _) in reversed(ordered) if key == STOP), None)
    readings: dict[str, list[tuple[float, float]]] = {}
    for time_s, (key, host, watts) in ordered:
        after = stop_s is not None and time_s > stop_s
        if key == READING and not after:
            readings.setdefault(host, []).append((time_s, watts))
    devices = []
    for host, points in readings.items():
        stretches, gap_s = _backward(points, begin_s)
        if gap_s:
            notes.append(f"{host}: {gap_s:.0f} s between readings are too long to count")
        domain = node(host, "MLPerf training power log", by_power=False)
        devices.append(Device(domain, spent=stretches))
    for value in dict.fromkeys(v for _, (key, _, v) in ordered if key == EFFICIENCY and v != 1.0):
        notes.append(f"the log's conversion efficiency of {value:g} is not applied")
    devices = [device for device in devices if device.spent]
    run = ImportedRun(
        name="mlperf",
        devices=devices,
        chips=hints.chips or max(1, len(devices)),
        notes=[*skipped.notes(), *notes],
    )
    return [run] if devices else []


def _event(text: str) -> Event | None:
    """One of the four events; None for any other line.

    Raises:
        ValueError, KeyError or TypeError: the line is damaged.
    """
    line: dict[str, Any] = json.loads(text)
    if depth(line) > MOST_DEPTH:
        raise ValueError("brackets nested too deeply")
    if line["key"] not in (READING, START, STOP, EFFICIENCY):
        return None
    value = line["value"]
    value = value["value"] if isinstance(value, dict) else value
    host = (line.get("metadata") or {}).get("host") or "node"
    watts = 0.0 if line["key"] in (START, STOP) else number(str(value), 0, 1e9)
    return in_range(float(line["time_ms"]) / 1e3), (line["key"], str(host), watts)


def _backward(
    points: list[tuple[float, float]], begin_s: float | None
) -> tuple[list[tuple[float, float, float]], float]:
    """Stretches for which readings count, each since the one before, and seconds of gaps."""
    times = [time_s for time_s, _ in points]
    usual_s = pace_of(times) or 1.0
    stretches, gap_s = [], 0.0
    before_s = times[0] if begin_s is None else min(begin_s, times[0])
    for time_s, watts in points:
        seconds = time_s - before_s
        if seconds > HOLD * usual_s:
            gap_s += seconds
        elif seconds > 0:
            stretches.append((before_s, time_s, watts * seconds))
        before_s = time_s
    return stretches, gap_s


def recognizes_ptd(text: str) -> bool:
    """Whether a text has lines of PTDaemon."""
    return any(line.startswith("Time,") and ",Watts," in line for line in text.splitlines())


def read_ptd(text: str, hints: Hints) -> list[ImportedRun]:
    """The analyzer of a log, which stands at the wall of a node."""
    clock, skipped = Clock(hints.timezone), Skipped()
    rows: list[tuple[float, tuple[float, str]]] = []
    for line, cells in cells_of(text):
        values = dict(zip(cells[::2], cells[1::2], strict=False))
        try:
            watts = number(values["Watts"], 0, 1e9)
            time_s = clock.seconds(values["Time"], PTD_STAMP)
        except UNREADABLE:
            skipped.add(line)
            continue
        rows.append((time_s, (watts, values.get("Mark", ""))))
    if not rows:
        return []
    ordered, notes = clock.ordered(rows)
    marks: dict[str, list[float]] = {}
    for time_s, (_, mark) in ordered:
        if mark:
            marks.setdefault(mark, []).append(time_s)
    domain = node("node", "SPEC PTDaemon, power analyzer at the wall", by_power=True)
    return [
        ImportedRun(
            name="ptd",
            devices=[Device(domain, powers=[(time_s, watts) for time_s, (watts, _) in ordered])],
            windows=[(name, min(times), max(times)) for name, times in marks.items()],
            chips=hints.chips or 1,
            notes=[*skipped.notes(), *notes],
        )
    ]


TRAINING = Importer(
    "mlperf",
    "a power log of an MLPerf training",
    "mlperf_logging.mllog.examples.power.power_measurement",
    recognizes_training,
    read_training,
)
PTD = Importer(
    "ptd", "a log of SPEC's PTDaemon", "the file spl.txt of a submission", recognizes_ptd, read_ptd
)
