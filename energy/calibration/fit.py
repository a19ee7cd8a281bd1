"""Calibrates a machine's meters against a wall meter: one gain and one offset per set of meters.

A tool sees part of a machine. The rest (fans, supply losses, boards) is roughly a share of what it
sees plus a constant, so two numbers per class correct most of it. On 254 public runs of one
workstation, a tool that reads 25 to 37 % low comes within 4 % (GPU) and 6 % (CPU) of the wall, with
each model predicted from the others. The cross-validated error is stored and becomes the band.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from energy.calibration.apply import OURS, Calibration, Line, meters_of, unread_seconds
from energy.errors import InputError
from energy.inputs import read_table
from energy.quantity import Boundary
from energy.record import RunRecord

NUMBERS = ("duration_s", "codecarbon_j", "wall_j")
FOREIGN_COLUMNS = ("device", "model", *NUMBERS)
"""Columns of a table with the joules of another tool."""

OWN_COLUMNS = ("record", "wall_j")
"""Columns of a table that names our own records; `model` is optional."""

MIN_RUNS = 5
"""Runs that a line needs."""


@dataclass(frozen=True)
class Run:
    """One run that both meters saw.

    Attributes:
        device: the device class of another tool (gpu, cpu), or the meters of our record in words.
        model: the workload.
        duration_s: seconds.
        tool_j: joules as the tool saw them.
        wall_j: joules at the wall.
        tool: whose joules `tool_j` are.
        meters: how our own were read; see `energy.calibration.apply.meters_of`.
    """

    device: str
    model: str
    duration_s: float
    tool_j: float
    wall_j: float
    tool: str = "codecarbon"
    meters: tuple[str, ...] = ()


def read_runs(path: Path) -> list[Run]:
    """Read runs from a CSV file.

    Its columns are `record` and `wall_j`, where `record` names the folder of a run (relative to the
    table) and an optional `model` its workload, or device, model, duration_s, codecarbon_j, wall_j
    for the joules of CodeCarbon.

    Raises:
        InputError: there is no such file, a column is missing, a cell is not a positive number, a
            record cannot be read or has a stretch without readings, or the table is empty.
    """
    columns, table = read_table(path, "a CSV file", "name a table of runs")
    own = "record" in columns
    wanted = OWN_COLUMNS if own else FOREIGN_COLUMNS
    if absent := [name for name in wanted if name not in columns]:
        raise InputError(
            f"expected the columns {' and '.join(OWN_COLUMNS)} in {path}, or "
            f"{', '.join(FOREIGN_COLUMNS)}",
            ", ".join(columns) or "an empty file",
            f"add {', '.join(absent)}",
        )
    runs = []
    for number, row in enumerate(table, start=2):
        place = f"line {number} of {path}"
        runs.append(_own_run(row, path.parent, place) if own else _foreign_run(row, place))
    if not runs:
        raise InputError(f"expected runs in {path}", "an empty table")
    return runs


MOST_RATIO = 1e9
"""Joules of a tool, or seconds, over the joules of the wall meter: beyond it a column is wrong."""


def fit_line(runs: list[Run]) -> tuple[float, float]:
    """Fit gain and offset by least squares of the relative errors of the runs.

    Raises:
        InputError: joules or seconds are of sizes that no two meters of one run can have.
    """
    wall = np.array([run.wall_j for run in runs])
    with np.errstate(all="ignore"):
        seen = np.array([[run.tool_j, run.duration_s] for run in runs]) / wall[:, None]
    if not np.all(np.abs(seen) < MOST_RATIO):
        raise InputError(
            f"expected joules and seconds within a factor of {MOST_RATIO:g} of the wall's joules",
            f"{np.max(np.abs(seen)):g}",
            "look for a digit too many, or a column in another unit",
        )
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
        # A few runs say little about the tail: the next greater error, not one between two.
        spread = float(np.quantile(np.abs(errors[device]), 0.9, method="higher"))
        seen_w = [run.tool_j / run.duration_s for run in own]
        lines[device] = Line(
            *fit_line(own),
            relative_error=spread,
            runs=len(own),
            tool=own[0].tool,
            meters=own[0].meters,
            seen_w=(min(seen_w), max(seen_w)),
        )
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


def _foreign_run(row: dict[str, str], place: str) -> Run:
    """The run of a row with another tool's joules; `place` is where it is, for the error."""
    duration_s, tool_j, wall_j = (_number(row, name, place) for name in NUMBERS)
    return Run(row["device"], row["model"], duration_s, tool_j, wall_j)


def _own_run(row: dict[str, str], folder: Path, place: str) -> Run:
    """The run of a row that names one of our records."""
    record = RunRecord.load(folder / (row["record"] or ""))
    seen = record.totals.get(Boundary.CHIP)
    if seen is None or seen.value is None or record.elapsed_s.value is None:
        raise InputError(
            "expected a record with joules at the chip boundary", f"{row['record']}, {place}"
        )
    if unread_seconds(record.energy):
        raise InputError(
            "expected a record without stretches that nobody read",
            f"{row['record']}, {place}",
            "leave this run out: the wall meter saw joules that the record does not have",
        )
    meters = meters_of(record.energy)
    return Run(
        " + ".join(meters),
        row.get("model") or record.labels.get("model") or record.name,
        record.elapsed_s.value,
        seen.value,
        _number(row, "wall_j", place),
        tool=OURS,
        meters=meters,
    )


def _number(row: dict[str, str], name: str, place: str) -> float:
    """A positive number of a row; joules that a tool saw may be 0."""
    try:
        value = float(row[name])
    except (TypeError, ValueError):
        value = math.nan
    if not (math.isfinite(value) and (value > 0 or (value == 0 and name == "codecarbon_j"))):
        raise InputError(f"expected a positive number for {name}", f"{row[name]!r}, {place}")
    return value


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
