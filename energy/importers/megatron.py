"""The log of Megatron-LM with --log-energy: joules of an iteration and a board.

They are the mean of all boards over the iterations since the line before, so that a line stands for
its joules times these iterations times the boards of the run.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from energy.errors import InputError
from energy.importers.imported import (
    BOARD_COUNTER,
    Device,
    Hints,
    ImportedRun,
    Importer,
    Skipped,
    number,
)
from energy.importers.moments import Clock, Row
from energy.meters.base import Domain

MARK = "energy per GPU (J/iter/GPU):"
LINE = re.compile(
    r"(?:\[([\d-]+ [\d:]+(?:\.\d+)?)\] +)?iteration +(\d+)/ *\d+ .*"
    r"elapsed time per iteration \(ms\): ([\d.]+) .*"
    r"energy per GPU \(J/iter/GPU\): ([\d.]+)"
)
BOARDS = re.compile(r"using world size: (\d+)")

MOST_ITERATIONS = 1_000_000
"""More between two lines are a damaged number."""


@dataclass(frozen=True)
class Lap:
    """A line of the log."""

    end_s: float | None
    iteration: int
    seconds: float
    joules: float


def recognizes(text: str) -> bool:
    """Whether a line has joules."""
    return MARK in text


def read(text: str, hints: Hints) -> list[ImportedRun]:
    """The boards of a run, together.

    Raises:
        InputError: neither the log nor the user says how many boards there are.
    """
    clock, skipped = Clock(hints.timezone), Skipped()
    laps: list[Lap] = []
    for line, content in enumerate(text.splitlines(), 1):
        if MARK not in content:
            continue
        match = LINE.search(content)
        try:
            if match is None:
                raise ValueError("no iteration")
            stamp, iteration, ms, joules = match.groups()
            seconds = number(ms, 1e-6, 1e10) / 1e3
            end_s = clock.seconds(stamp, lasting_s=seconds) if stamp else None
            lap = Lap(end_s, int(number(iteration, 0, 1e15)), seconds, number(joules))
        except ValueError:
            skipped.add(line)
            continue
        if lap in laps[-1:]:
            skipped.add(line, "the same line stands there before")
            continue
        laps.append(lap)
    if not laps:
        return []
    boards = _boards(text, hints)
    rows, again = _rows(laps, boards)
    ordered, notes = clock.ordered(rows)
    stretches = _stretches(ordered)
    notes = [*skipped.notes(), *notes]
    if again:
        notes.append(f"{again} lines repeat iterations after a restart: their joules count, too")
    domain = Domain(
        id="gpus" if boards > 1 else "gpu-0",
        kind="gpu",
        boundary="chip",
        method="counter",
        api=f"Megatron-LM, energy per GPU x {boards:,} boards",
        low=BOARD_COUNTER[0],
        high=BOARD_COUNTER[1],
        limit_w=1400.0 * boards,
        meter="megatron",
        source="NVML counters, summed over all ranks by Megatron-LM",
    )
    return [
        ImportedRun(
            name="megatron",
            devices=[Device(domain, spent=stretches)],
            windows=[("log-interval", begin_s, end_s) for begin_s, end_s, _ in stretches],
            chips=boards,
            notes=notes,
        )
    ]


def _boards(text: str, hints: Hints) -> int:
    match = BOARDS.search(text)
    if hints.chips:
        return hints.chips
    if match and 0 < int(match.group(1)[:9]) < 10**7:
        return int(match.group(1))
    raise InputError(
        f"expected the number of boards in {hints.file}",
        "joules of one board alone",
        "the log has no line 'using world size: N': add --chips N",
    )


def _rows(laps: list[Lap], boards: int) -> tuple[list[Row[tuple[float, float]]], int]:
    """End, seconds and joules of each line, and how many repeat iterations."""
    usual = _usual(laps)
    rows: list[Row[tuple[float, float]]] = []
    reached, again, now_s = -1, 0, 0.0
    for number_, lap in enumerate(laps):
        count = lap.iteration - laps[number_ - 1].iteration if number_ else usual
        again += lap.iteration <= reached
        reached = max(reached, lap.iteration)
        if not 0 < count <= MOST_ITERATIONS:
            count = usual
        now_s = now_s + count * lap.seconds if lap.end_s is None else lap.end_s
        rows.append((now_s, (count * lap.seconds, count * lap.joules * boards)))
    return rows, again


def _stretches(rows: list[Row[tuple[float, float]]]) -> list[tuple[float, float, float]]:
    """Begin, end and joules of each line."""
    stretches: list[tuple[float, float, float]] = []
    for end_s, (seconds, joules) in rows:
        begin_s = max(0.0, end_s - seconds)
        if stretches and begin_s < stretches[-1][1]:
            # Lines are printed a little after their iterations: laps follow each other.
            begin_s = stretches[-1][1]
            end_s = max(end_s, begin_s + 1e-3)
        stretches.append((begin_s, end_s, joules))
    return stretches


def _usual(laps: list[Lap]) -> int:
    """Iterations between two lines, as most lines have it."""
    steps = sorted(
        later.iteration - lap.iteration
        for lap, later in itertools.pairwise(laps)
        if 0 < later.iteration - lap.iteration <= MOST_ITERATIONS
    )
    return steps[len(steps) // 2] if steps else 1


IMPORTER = Importer(
    "megatron",
    "a log of Megatron-LM",
    "train with --log-energy, and keep what it prints",
    recognizes,
    read,
)
