"""The log that Zeus's monitor writes (`ZeusMonitor(log_file=...)`): a line for each window."""

from __future__ import annotations

import re

from energy.importers.imported import (
    Device,
    Hints,
    ImportedRun,
    Importer,
    Skipped,
    board,
    number,
    outermost,
)
from energy.importers.moments import in_range
from energy.importers.tables import rows_of

NEEDED = ("start_time", "window_name", "elapsed_time")

BOARD = re.compile(r"gpu(\d+)_energy")


def recognizes(text: str) -> bool:
    """Whether its columns stand in the first line."""
    return text.lstrip("\ufeff").startswith("start_time,window_name,elapsed_time")


def read(text: str, hints: Hints) -> list[ImportedRun]:
    """The boards of a log; a window inside another is a part of it and adds no joules."""
    skipped = Skipped()
    spent: dict[str, list[tuple[float, float, float]]] = {}
    windows: dict[tuple[str, float, float], None] = {}
    for line, row in rows_of(text, NEEDED, skipped, "a log of Zeus"):
        try:
            begin_s = in_range(float(row["start_time"]))
            window = row["window_name"], begin_s, begin_s + number(row["elapsed_time"], 1e-6, 1e10)
            joules = {
                f"gpu-{match.group(1)}": number(cell)
                for name, cell in row.items()
                if (match := BOARD.fullmatch(name))
            }
        except ValueError:
            skipped.add(line)
            continue
        if window in windows:
            skipped.add(line, "the same window stands there before")
            continue
        windows[window] = None
        for name, value in joules.items():
            spent.setdefault(name, []).append((*window[1:], value))
    if not spent:
        return []
    whole = {name: outermost(stretches) for name, stretches in spent.items()}
    inner = max(count for _, count in whole.values())
    notes = skipped.notes()
    if inner:
        notes.append(f"{inner} windows lie in others and are parts of their joules")
    api = "Zeus, NVML counter or integrated power"
    return [
        ImportedRun(
            name="zeus",
            devices=[
                Device(board(name, "", api, by_power=False), spent=stretches)
                for name, (stretches, _) in whole.items()
            ],
            windows=list(windows),
            chips=len(whole),
            notes=notes,
        )
    ]


IMPORTER = Importer("zeus", "a log of Zeus", 'ZeusMonitor(log_file="FILE")', recognizes, read)
