"""Calibrate a machine's meters against a wall meter: one gain and one offset a device class.

A tool sees part of a machine; the rest (fans, supply losses, boards) is close to a share of what
it sees plus a constant. Two numbers a class repair most of it: on 254 public runs of one
workstation a tool that is 25 to 37 % low comes within 4 % (GPU) and 6 % (CPU) of the wall, each
model predicted by the others. The cross-validated error is kept and is the band from then on.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from energy.calibration.apply import Calibration, Line
from energy.errors import InputError, reason

COLUMNS = ("device", "model", "duration_s", "codecarbon_j", "wall_j")


FEWEST = 5
"""Runs of a class that a line is fitted to; fewer are refused."""


@dataclass(frozen=True)
class Run:
    """One run seen by both meters: class of device, workload model, seconds, joules."""

    device: str
    model: str
    duration_s: float
    tool_j: float
    wall_j: float


def read_runs(path: Path) -> list[Run]:
    """Runs from a CSV file with the columns device, model, duration_s, codecarbon_j, wall_j.

    Raises:
        InputError: no such file, a column is missing, or a cell is not a positive number.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"expected a CSV file at {path}", reason(error)) from error
    table = csv.DictReader(text.splitlines())
    absent = [name for name in COLUMNS if name not in (table.fieldnames or [])]
    if absent:
        raise InputError(f"expected the columns {', '.join(COLUMNS)}", f"none {', '.join(absent)}")
    runs = []
    for number, row in enumerate(table, start=2):
        try:
            seconds, tool_j, wall_j = (float(row[name]) for name in COLUMNS[2:])
        except (TypeError, ValueError):
            seconds = tool_j = wall_j = -1.0
        if not (seconds > 0 and tool_j >= 0 and wall_j > 0):
            raise InputError("expected positive seconds and joules", f"line {number} of {path}")
        runs.append(Run(row["device"], row["model"], seconds, tool_j, wall_j))
    if not runs:
        raise InputError(f"expected runs in {path}", "an empty table")
    return runs


def fit_line(runs: list[Run]) -> tuple[float, float]:
    """Gain and offset of least relative squares: each run counts by its relative error."""
    wall = np.array([run.wall_j for run in runs])
    seen = np.array([[run.tool_j, run.duration_s] for run in runs]) / wall[:, None]
    gain, offset_w = np.linalg.lstsq(seen, np.ones(len(runs)), rcond=None)[0]
    return float(gain), float(offset_w)


def cross_validate(runs: list[Run]) -> list[float]:
    """Relative errors of each run, its line fitted to the runs of all other models."""
    errors = []
    for run in runs:
        others = [other for other in runs if other.model != run.model]
        if len(others) < 2:
            raise InputError("expected runs of at least two models in a class", run.device)
        gain, offset_w = fit_line(others)
        errors.append((gain * run.tool_j + offset_w * run.duration_s) / run.wall_j - 1)
    return errors


def calibrate(runs: list[Run], source: str) -> tuple[Calibration, dict[str, Any]]:
    """Fit every class, and say how well each run is predicted by the other models' runs.

    Returns:
        The calibration, and the scores by class and for all: n, mean_abs_rel_error before, after.
    """
    lines, errors = {}, {}
    for device in sorted({run.device for run in runs}):
        own = [run for run in runs if run.device == device]
        if len(own) < FEWEST:
            raise InputError(f"expected at least {FEWEST} runs of {device}", str(len(own)))
        errors[device] = cross_validate(own)
        spread = float(np.quantile(np.abs(errors[device]), 0.9))
        lines[device] = Line(*fit_line(own), relative_error=spread, runs=len(own))
    return Calibration(lines, source), _scores(runs, errors)


def score(calibration: Calibration, runs: list[Run]) -> dict[str, Any]:
    """How well other runs are told by a calibration, by class and for all.

    Raises:
        InputError: a class of device that was not calibrated.
    """
    errors: dict[str, list[float]] = {}
    for run in runs:
        line = calibration.lines.get(run.device)
        if line is None:
            raise InputError(
                f"expected one of the classes {', '.join(calibration.lines)}", run.device
            )
        wall_j = line.wall_j(run.tool_j, run.duration_s)
        errors.setdefault(run.device, []).append(wall_j / run.wall_j - 1)
    return _scores(runs, errors)


def _scores(runs: list[Run], errors: dict[str, list[float]]) -> dict[str, Any]:
    def told(before: list[float], after: list[float]) -> dict[str, Any]:
        mean = {"before": float(np.mean(np.abs(before))), "after": float(np.mean(np.abs(after)))}
        return {"n": len(after), "mean_abs_rel_error": mean}

    before = {
        device: [run.tool_j / run.wall_j - 1 for run in runs if run.device == device]
        for device in errors
    }
    found = {device: told(before[device], after) for device, after in errors.items()}
    found["all"] = told(
        [e for b in before.values() for e in b], [e for a in errors.values() for e in a]
    )
    return found
