"""The rows of a ledger that say what the log of another tool says.

Powers become readings of power and counters become counters, in one segment. Joules of stretches
become a counter that rises from the begin of a stretch to its end; stretches that do not touch are
segments of their own, so that nothing is said of the time between.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from energy.importers.imported import Device, ImportedRun, paced
from energy.importers.moments import pace_of
from energy.ledger.lines import CLOSED, VERSION, Row

TOUCH_S = 0.1
"""Stretches that are no further apart than this touch."""

Reading = tuple[float, int, float | None]
"""Second, place of the device, and what it showed."""


def rows_of(run: ImportedRun, run_id: str, boot: str) -> Iterator[Row]:
    """The rows of a run.

    Args:
        run: as its log has it.
        run_id: the same for the same log, so that two imports of it merge into one.
        boot: names the clock that its times are of.
    """
    devices = [paced(device) if device.powers else device for device in run.devices]
    blocks = blocks_of(devices)
    for begin_s, end_s in blocks:
        yield _header(run, devices, (run_id, boot), begin_s, end_s - begin_s)
        yield from _counted(devices, begin_s, end_s)
        yield from _closing(run, begin_s, end_s)
    if blocks:
        return
    readings = sorted(
        (
            (time_s, place, value)
            for place, device in enumerate(devices)
            for time_s, value in (*device.powers, *device.counts)
        ),
        key=lambda reading: reading[:2],
    )
    begin_s, end_s = readings[0][0], readings[-1][0]
    pace_s = max(
        pace_of(time_s for time_s, _ in (*device.powers, *device.counts)) for device in devices
    )
    yield _header(run, devices, (run_id, boot), begin_s, pace_s or 1.0)
    for group in _rounds(readings, len(devices)):
        yield _sample(devices, group)
    yield from _closing(run, begin_s, end_s)


def blocks_of(devices: Sequence[Device]) -> list[tuple[float, float]]:
    """Stretches of time in which some device spent joules without a break, in order of time."""
    blocks: list[tuple[float, float]] = []
    for begin_s, end_s, _ in sorted(stretch for device in devices for stretch in device.spent):
        if blocks and begin_s <= blocks[-1][1] + TOUCH_S:
            blocks[-1] = (blocks[-1][0], max(blocks[-1][1], end_s))
        else:
            blocks.append((begin_s, end_s))
    return blocks


def _header(
    run: ImportedRun, devices: Sequence[Device], ids: tuple[str, str], begin_s: float, pace_s: float
) -> Row:
    run_id, boot = ids
    return {
        "k": "header",
        "v": VERSION,
        "id": run_id,
        "name": run.name,
        "labels": run.labels,
        "sync": None,
        "resume_at": {},
        "boot": boot,
        "host": run.host,
        "job": {},
        "machine": {key: value for key, value in run.facts.items() if isinstance(value, str)},
        "interval_s": min(1e9, max(1e-3, pace_s)),
        "domains": [device.domain.as_dict() for device in devices],
        "m": _ns(begin_s),
        "utc": datetime.fromtimestamp(begin_s, UTC).isoformat(),
    }


def _closing(run: ImportedRun, begin_s: float, end_s: float) -> Iterator[Row]:
    """The windows that lie in a segment, and its end."""
    for name, first_s, last_s in run.windows:
        if begin_s <= first_s and last_s <= end_s:
            yield {
                "k": "window",
                "m0": _ns(first_s),
                "m1": _ns(last_s),
                "name": name,
                "phase": "compute",
            }
    yield {"k": "end", "m": _ns(end_s), "why": CLOSED}


def _counted(devices: Sequence[Device], begin_s: float, end_s: float) -> Iterator[Row]:
    """Samples at the edges of all stretches in a block; the joules of each are its counter's."""
    inside = [
        [stretch for stretch in device.spent if begin_s <= stretch[0] and stretch[1] <= end_s]
        for device in devices
    ]
    edges = sorted({edge for stretches in inside for b, e, _ in stretches for edge in (b, e)})
    for edge_s in edges:
        joules = [_until(stretches, edge_s) if stretches else None for stretches in inside]
        yield {"k": "s", "m": _ns(edge_s), "j": joules, "a": [0] * len(joules)}


def _until(stretches: Sequence[tuple[float, float, float]], moment_s: float) -> float:
    """Joules of stretches until a moment; within one they are shared by time."""
    total = 0.0
    for begin_s, end_s, joules in stretches:
        if end_s <= moment_s:
            total += joules
        elif begin_s < moment_s:
            total += joules * (moment_s - begin_s) / (end_s - begin_s)
    return total


def _rounds(readings: Sequence[Reading], devices: int) -> Iterator[list[Reading]]:
    """Readings in order of time, divided so that none has a device twice."""
    group: list[Reading] = []
    seen: set[int] = set()
    for reading in readings:
        if reading[1] in seen or len(seen) == devices:
            yield group
            group, seen = [], set()
        group.append(reading)
        seen.add(reading[1])
    if group:
        yield group


def _sample(devices: Sequence[Device], group: Sequence[Reading]) -> Row:
    """A round of readings as one sample."""
    moment_s = group[-1][0]
    row: Row = {"k": "s", "m": _ns(moment_s), "j": [None] * len(devices)}
    ages: list[int | None] = [None] * len(devices)
    checks: list[float | None] = [None] * len(devices)
    for time_s, place, value in group:
        device = devices[place]
        age_us = max(0, round((moment_s - time_s) * 1e6))
        if device.powers:
            row.setdefault("p", {})[device.domain.meter] = [[age_us, value]]
        else:
            row["j"][place], ages[place] = value, age_us
            checks[place] = device.checks.get(time_s)
    row["a"] = ages
    if any(check is not None for check in checks):
        row["w"] = checks
    return row


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)


def time_between(devices: Sequence[Device]) -> float:
    """Seconds between the blocks of a run, of which its log says nothing."""
    return sum(later[0] - block[1] for block, later in pairwise(blocks_of(devices)))
