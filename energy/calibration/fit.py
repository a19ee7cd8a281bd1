"""Calibrates a machine's meters against a wall meter: one gain and one offset per device class.

A tool sees part of a machine. The rest (fans, supply losses, boards) is roughly a share of what it
sees plus a constant, so two numbers per class correct most of it. On 254 public runs of one
workstation, a tool that reads 25 to 37 % low comes within 4 % (GPU) and 6 % (CPU) of the wall, with
each model predicted from the others. The cross-validated error is stored and becomes the band.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from energy.calibration.apply import Calibration, Line
from energy.errors import InputError, reason

NUMBERS = ("duration_s", "codecarbon_j", "wall_j")
COLUMNS = ("device", "model", *NUMBERS)

MIN_RUNS = 5
"""Runs that a class needs for a line."""


@dataclass(frozen=True)
class Run:
    """One run that both meters saw: device class, workload model, seconds, joules."""

    device: str
    model: str
    duration_s: float
    tool_j: float
    wall_j: float


def read_runs(path: Path) -> list[Run]:
    """Read runs from a CSV file with the columns device, model, duration_s, codecarbon_j, wall_j.

    Raises:
        InputError: there is no such file, a column is missing, a cell is not a positive number, or
            the table is empty.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"expected a CSV file at {path}", reason(error)) from error
    table = csv.DictReader(text.splitlines())
    columns = table.fieldnames or []
    absent = [name for name in COLUMNS if name not in columns]
    if absent:
        raise InputError(
            f"expected the columns {', '.join(COLUMNS)} in {path}",
            ", ".join(columns) or "an empty file",
            f"add {', '.join(absent)}",
        )
    runs = [_run(row, f"line {number} of {path}") for number, row in enumerate(table, start=2)]
    if not runs:
        raise InputError(f"expected runs in {path}", "an empty table")
    return runs


def fit_line(runs: list[Run]) -> tuple[float, float]:
    """Fit gain and offset by least squares of the relative errors of the runs."""
    wall = np.array([run.wall_j for run in runs])
    seen = np.array([[run.tool_j, run.duration_s] for run in runs]) / wall[:, None]
    gain, offset_w = np.linalg.lstsq(seen, np.ones(len(runs)), rcond=None)[0]
    return float(gain), float(offset_w)


def cross_validate(runs: list[Run]) -> list[float]:
    """The relative error of each run, with its line fitted to the runs of all other models.

    Raises:
        InputError: all runs, or all but one, are of the same model.
    """
    errors = []
    for run in runs:
        others = [other for other in runs if other.model != run.model]
        if len(others) < 2:
            raise InputError("expected runs of at least two models in a class", run.device)
        gain, offset_w = fit_line(others)
        errors.append((gain * run.tool_j + offset_w * run.duration_s) / run.wall_j - 1)
    return errors


def calibrate(runs: list[Run], source: str) -> tuple[Calibration, dict[str, Any]]:
    """Fit a line for each class, and score how well other models' runs predict each run.

    Args:
        runs: runs of all classes.
        source: name of the file that they were read from.

    Returns:
        The calibration, and the scores by class and for all: `n`, and `mean_abs_rel_error` before
        and after.

    Raises:
        InputError: a class has too few runs or too few models.
    """
    lines, errors = {}, {}
    for device in sorted({run.device for run in runs}):
        own = [run for run in runs if run.device == device]
        if len(own) < MIN_RUNS:
            raise InputError(f"expected at least {MIN_RUNS} runs of {device}", str(len(own)))
        errors[device] = cross_validate(own)
        spread = float(np.quantile(np.abs(errors[device]), 0.9))
        lines[device] = Line(*fit_line(own), relative_error=spread, runs=len(own))
    return Calibration(lines, source), _scores(runs, errors)


def score(calibration: Calibration, runs: list[Run]) -> dict[str, Any]:
    """How well a calibration predicts other runs, by class and for all; as from `calibrate`.

    Raises:
        InputError: a run is of a class that was not calibrated.
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


def _run(row: dict[str, str], place: str) -> Run:
    """The run of a row; `place` is where it is, for the error."""
    try:
        duration_s, tool_j, wall_j = (float(row[name]) for name in NUMBERS)
    except (TypeError, ValueError):
        duration_s = tool_j = wall_j = -1.0
    if not (duration_s > 0 and tool_j >= 0 and wall_j > 0):
        raise InputError("expected positive seconds and joules", place)
    return Run(row["device"], row["model"], duration_s, tool_j, wall_j)


def _scores(runs: list[Run], after: dict[str, list[float]]) -> dict[str, Any]:
    """Mean errors by class and for all, of the tool alone (before) and of the line (after)."""
    before = {
        device: [run.tool_j / run.wall_j - 1 for run in runs if run.device == device]
        for device in after
    }
    scores = {device: _score(before[device], after[device]) for device in after}
    scores["all"] = _score(
        [error for errors in before.values() for error in errors],
        [error for errors in after.values() for error in errors],
    )
    return scores


def _score(before: list[float], after: list[float]) -> dict[str, Any]:
    mean = {"before": float(np.mean(np.abs(before))), "after": float(np.mean(np.abs(after)))}
    return {"n": len(after), "mean_abs_rel_error": mean}
