"""The load of the experts that a scenario names: a list of shares, or a log of the trainer."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from energy.errors import InputError
from energy.inputs import UNPARSED, bounded_lines, is_number
from simulator.physics.expert_load import ExpertLoad

LOG = "metrics.jsonl"
"""Name of the log in a run folder of the trainer."""


def expert_load(value: Any) -> ExpertLoad:
    """The load that a scenario's `expert_load` names: a path, or the shares themselves.

    Raises:
        InputError: the log has no load, or the shares are not valid.
    """
    return read_load(Path(value)) if isinstance(value, str) else ExpertLoad.of(value)


def read_load(path: Path) -> ExpertLoad:
    """The load of every layer and step in a trainer's log, or in the log of a run folder.

    Raises:
        InputError: there is no such log, or no line of it has `expert_load`.
    """
    log = path / LOG if path.is_dir() else path
    rows: list[list[float]] = []
    try:
        with log.open("rb") as file:
            for line in bounded_lines(file, log):
                with contextlib.suppress(*UNPARSED, AttributeError, KeyError, TypeError):
                    # Not the torn last line of a run that was killed.
                    rows += [row for row in json.loads(line)["expert_load"] if _is_load(row)]
    except (OSError, ValueError) as error:
        raise InputError(
            "expected the log of a trainer in expert_load",
            str(path),
            "name a run folder of glam train, or its metrics.jsonl",
        ) from error
    if not rows:
        raise InputError(
            f"expected lines with expert_load in {log}", "none", "a log of a mixture of experts"
        )
    return ExpertLoad.of(rows, str(log))


def _is_load(row: Any) -> bool:
    """Whether a value of a log is the load of a layer: a share of each expert."""
    return isinstance(row, list) and bool(row) and all(is_number(share, 0.0) for share in row)
