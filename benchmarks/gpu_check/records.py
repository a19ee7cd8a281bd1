"""Records of checks: small JSON files, by board and date, which the project keeps as data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.gpu_check import estimators
from benchmarks.gpu_check.stages import Outcome
from energy.errors import InputError, reason
from energy.files import write_text_atomic

SCHEMA = "gpu-check-1"
FOLDER = Path(__file__).parent / "records"
CHECK, SERIES = "check.json", "series.json"
"""What was measured, and every update of the board's readings that it was measured from."""

Check = dict[str, Any]
"""Schema, board, date and the outcome of each stage."""


def check_of(outcomes: Mapping[str, Outcome], date: str) -> Check:
    """The check as it is kept; without a board its name is empty.

    Args:
        outcomes: by name of the stage.
        date: day of the check, as 2026-12-01.
    """
    driver = outcomes.get("driver", Outcome())
    stages = {name: asdict(outcome) for name, outcome in outcomes.items()}
    for stage in stages.values():
        stage["seconds"] = round(stage["seconds"], 1)
    return {
        "schema": SCHEMA,
        "board": driver.values.get("board", {}).get("name", ""),
        "date": date,
        "stages": stages,
    }


def keep(check: Check, folder: Path) -> Path:
    """Write a check below a folder; return its own folder, BOARD-DATE."""
    board = re.sub(r"[^a-z0-9]+", "-", check["board"].lower()).strip("-")
    place = folder / f"{board}-{check['date']}"
    stages = {
        name: {**stage, "values": {**stage["values"]}} for name, stage in check["stages"].items()
    }
    series = stages.get("sensor", {"values": {}})["values"].pop("series", None)
    write_text_atomic(place / CHECK, json.dumps({**check, "stages": stages}, indent=1) + "\n")
    if series is not None:
        write_text_atomic(place / SERIES, json.dumps(series, separators=(",", ":")) + "\n")
    return place


def load_all(folder: Path) -> list[Check]:
    """The newest check of each board, in the order of their names.

    Raises:
        InputError: a file is not a record of a check.
    """
    newest: dict[str, Check] = {}
    for path in sorted(folder.glob(f"*/{CHECK}")):
        try:
            check = json.loads(path.read_text(encoding="utf-8"))
            if check["schema"] != SCHEMA:
                raise ValueError(f"schema {check['schema']}")
            if check["date"] >= newest.get(check["board"], check)["date"]:
                newest[check["board"]] = check
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"expected a check of schema {SCHEMA} in {path}", reason(error)
            ) from error
    return [newest[board] for board in sorted(newest)]


def replayed(series: Mapping[str, Any]) -> tuple[dict[str, estimators.Updates], estimators.Load]:
    """The updates and the load that a file of series was written from.

    Args:
        series: content of series.json.
    """
    names: Iterable[str] = series.keys() - {"on_s", "off_s"}
    shown = {
        name: estimators.rhythm(
            series[name]["moments_s"], series[name]["values"], series[name]["poll_s"]
        )
        for name in names
    }
    return shown, estimators.Load(series["on_s"], series["off_s"])
