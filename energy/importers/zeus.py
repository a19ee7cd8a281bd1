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
from energy.importers.moments import Row, in_order, in_range
from energy.importers.tables import rows_of

NEEDED = ("start_time", "window_name", "elapsed_time")

BOARD = re.compile(r"gpu(\d+)_energy")


def recognizes(text: str) -> bool:
    """Whether its columns stand in the first line."""
    return text.lstrip("\ufeff").startswith("start_time,window_name,elapsed_time")


def read(text: str, hints: Hints) -> list[ImportedRun]:
    """The boards of a log; a window inside another is a part of it and adds no joules."""
    skipped = Skipped()
    rows: list[Row[tuple[str, float, tuple[tuple[str, float], ...]]]] = []
    for line, row in rows_of(text, NEEDED, skipped, "a log of Zeus"):
        try:
            begin_s = in_range(float(row["start_time"]))
            seconds = number(row["elapsed_time"], 1e-6, 1e10)
            joules = tuple(
                (f"gpu-{match.group(1)}", number(cell))
                for name, cell in row.items()
                if (match := BOARD.fullmatch(name))
            )
        except ValueError:
            skipped.add(line)
            continue
        rows.append((begin_s + seconds, (row["window_name"], seconds, joules)))
    ordered, notes = in_order(rows)  # a line is written at the end of its window
    windows = [(name, max(0.0, end_s - seconds), end_s) for end_s, (name, seconds, _) in ordered]
    spent: dict[str, list[tuple[float, float, float]]] = {}
    for window, (_, (_, _, joules)) in zip(windows, ordered, strict=True):
        for name, value in joules:
            spent.setdefault(name, []).append((*window[1:], value))
    if not spent:
        return []
    whole = {name: outermost(stretches) for name, stretches in spent.items()}
    inner = max(count for _, count in whole.values())
    notes = [*skipped.notes(), *notes]
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
            windows=windows,
            chips=len(whole),
            notes=notes,
        )
    ]


IMPORTER = Importer("zeus", "a log of Zeus", 'ZeusMonitor(log_file="FILE")', recognizes, read)
