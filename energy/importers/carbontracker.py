"""carbontracker's standard log: the seconds and the mean watts of each epoch.

Version 2.4.7 puts the readings of all boards into one list and averages them, so that the watts of
several boards are those of one (findings/carbontracker-counts-one-board-of-several.sh). A log that
lists n boards and states one number therefore counts n times that number. Its own total is
multiplied by a PUE as well, and is not taken over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from energy.errors import InputError
from energy.importers.imported import (
    BOARD_POWER,
    UNREADABLE,
    Device,
    Hints,
    ImportedRun,
    Importer,
    Skipped,
    number,
)
from energy.importers.moments import Clock
from energy.meters.base import Domain

LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:,\d+)? - (.*)")
VERSION = re.compile(r"carbontracker version (\S+)")
PARTS = re.compile(r"(GPU|CPU) with device\(s\) ([^.]*)")
EPOCH = re.compile(r"Epoch (\d+):")
DURATION = re.compile(r"Duration: (?:(\d+) days?, )?(\d+):(\d\d):(\d\d(?:\.\d+)?)")
FORM = "%Y-%m-%d %H:%M:%S"
WATTS = re.compile(r"Average power usage \(W\) for (\w+): (.+)")

PROCESSOR = (0.9, 1.1)
"""Band of the counters of processors."""

MOST_WORDS = 60
"""Characters of a line that states a duration."""

STAMPED_S = 2.0
"""Stamps of whole seconds may be so much nearer to each other than an epoch is long."""

Epochs = dict[str, list[tuple[float, tuple[float, float]]]]
"""Ends of epochs by kind of device, and the seconds and watts of each."""


def recognizes(text: str) -> bool:
    """Whether a line is one of carbontracker's."""
    return "carbontracker version" in text or "CarbonTracker: " in text


def read(text: str, hints: Hints) -> list[ImportedRun]:
    """A run for each start of the tracker in a log."""
    lines = [
        (line, match.group(1), match.group(2))
        for line, content in enumerate(text.splitlines(), 1)
        if (match := LINE.match(content.strip()))
    ]
    starts = [i for i, (_, _, words) in enumerate(lines) if VERSION.search(words)]
    if not starts:
        raise InputError(
            f"expected the standard log of carbontracker in {hints.file}",
            "another of its files",
            "name the one that ends in _carbontracker.log: the others have no epochs",
        )
    ends = [*starts[1:], len(lines)]
    runs = [_run(lines[start:end], hints) for start, end in zip(starts, ends, strict=True)]
    return [run for run in runs if run.devices]


def _run(lines: Iterable[tuple[int, str, str]], hints: Hints) -> ImportedRun:
    clock, skipped = Clock(hints.timezone), Skipped()
    parts: dict[str, list[str]] = {}
    version, ended = "", (0.0, 0.0)
    epochs = Epochs()
    for line, stamp, words in lines:
        if match := VERSION.search(words):
            version = match.group(1)
        for kind, names in PARTS.findall(words):
            parts[kind.lower()] = [name.strip() for name in names.split(",") if name.strip()]
        if EPOCH.match(words):
            ended = 0.0, 0.0
        try:
            if match := DURATION.match(words[:MOST_WORDS]):
                seconds = number(str(_seconds(*match.groups())), 1e-3, 1e9)
                ended = clock.seconds(stamp, FORM, max(0.0, seconds - STAMPED_S)), seconds
            if match := WATTS.match(words):
                kind, text = match.groups()
                if not ended[1]:
                    raise ValueError("no duration")
                watts = _watts(text, len(parts.get(kind, ())))
                epochs.setdefault(kind, []).append((ended[0], (ended[1], watts)))
        except UNREADABLE:
            skipped.add(line)
    boards = parts.get("gpu", [])
    notes = skipped.notes()
    if len(boards) > 1:
        notes.append(f"the watts of the log are means of a board: {len(boards)} boards count")
    spent: dict[str, list[tuple[float, float, float]]] = {}
    for kind, rows in epochs.items():
        ordered, more = clock.ordered(rows)
        spent[kind] = _apart(ordered)
        notes += more
    return ImportedRun(
        name="carbontracker",
        devices=[
            Device(_domain(kind, parts.get(kind, []), version), spent=stretches)
            for kind, stretches in spent.items()
        ],
        windows=[("epoch", *stretch[:2]) for stretch in next(iter(spent.values()), [])],
        chips=max(1, len(boards)),
        chip=boards[0] if boards else "",
        facts={"carbontracker_version": version},
        notes=list(dict.fromkeys(notes)),
    )


def _seconds(days: str | None, hours: str, minutes: str, seconds: str) -> float:
    return 86_400 * int(days or 0) + 3600 * int(hours) + 60 * int(minutes) + float(seconds)


def _watts(text: str, devices: int) -> float:
    """Watts of all devices of a kind; a list names each, one number is the mean."""
    if text.startswith("["):
        return sum(number(word) for word in text.strip("[] ").replace(",", " ").split())
    return number(text) * max(1, devices)


def _apart(epochs: list[tuple[float, tuple[float, float]]]) -> list[tuple[float, float, float]]:
    """Begin, end and joules of epochs; stamps of whole seconds make them overlap by up to one."""
    apart: list[tuple[float, float, float]] = []
    for end_s, (lasting_s, watts) in epochs:
        begin_s = max(0.0, end_s - lasting_s)
        joules = watts * (end_s - begin_s)
        begin_s = max(begin_s, apart[-1][1]) if apart else begin_s
        if end_s > begin_s:
            apart.append((begin_s, end_s, joules))
        elif apart:
            first_s, last_s, before = apart[-1]
            apart[-1] = (first_s, last_s, before + joules)
    return apart


def _domain(kind: str, devices: list[str], version: str) -> Domain:
    boards = kind == "gpu"
    low, high = BOARD_POWER if boards else PROCESSOR
    return Domain(
        id=f"{kind}s" if len(devices) > 1 else kind,
        kind="gpu" if boards else "cpu",
        boundary="chip",
        method="counter",
        api=f"carbontracker {version}, mean watts of an epoch ({', '.join(devices)})",
        low=low,
        high=high,
        limit_w=max(1, len(devices)) * (1400.0 if boards else 500.0),
        meter="carbontracker",
        source="sensor gain against external meters, by method",
    )


IMPORTER = Importer(
    "carbontracker",
    "carbontracker's standard log",
    'CarbonTracker(log_dir="FOLDER", ...); the file that ends in _carbontracker.log',
    recognizes,
    read,
)
