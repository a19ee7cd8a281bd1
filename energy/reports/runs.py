"""The runs in a folder, for reports and notebooks: records, metrics and ledgers."""

from __future__ import annotations

import contextlib
import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from energy.errors import InputError, reason
from energy.inputs import MOST_DEPTH, UNPARSED, bounded_lines, depth
from energy.ledger import reader as ledger
from energy.ledger.lines import FILE
from energy.ledger.segment import Segment
from energy.record import Kind, RunRecord


@dataclass(frozen=True)
class Run:
    """A run and its files.

    Attributes:
        folder: folder of the run.
        record: its record, measured or predicted.
        metrics: lines of metrics.jsonl; empty without such a file.
    """

    folder: Path
    record: RunRecord
    metrics: tuple[dict[str, Any], ...]

    @property
    def measured(self) -> bool:
        """Whether this run happened; else it was predicted."""
        return self.record.kind is Kind.MEASURED

    @property
    def sparse(self) -> bool:
        """Whether its model is a mixture of experts."""
        return bool(self.record.shape.get("n_moe_layers"))

    def segments(self) -> list[Segment]:
        """The segments of its ledger; empty without one."""
        path = self.folder / FILE
        return ledger.segments(path) if path.is_file() else []


@dataclass(frozen=True)
class Pair:
    """A run and the prediction made for it."""

    measured: Run
    predicted: Run


def find(folders: Path | Iterable[Path]) -> list[Run]:
    """All runs in some folders, at any depth, by name, measured before predicted.

    Raises:
        InputError: a folder does not exist or there is no record in it, or one cannot be read.
    """
    roots = [folders] if isinstance(folders, Path) else list(folders)
    paths = sorted({path for root in roots for path in _records(root)})
    if not paths:
        ledgers = [path for root in roots for path in root.rglob(FILE)]
        raise InputError(
            f"expected a record.json in {', '.join(map(str, roots))}",
            f"a ledger alone: {ledgers[0]}" if ledgers else "none",
            f"write its record: energy record {shlex.quote(str(ledgers[0].parent))}"
            if ledgers
            else "meter a run first: energy run, glam train or make demo",
        )
    runs = [Run(path.parent, RunRecord.load(path), _metrics(path.parent)) for path in paths]
    return sorted(runs, key=lambda run: (run.record.name, run.record.kind))


def row(record: RunRecord) -> dict[str, Any]:
    """A record as one row: name, kind, time, labels and every headline quantity."""
    labels = {f"label_{name}": value for name, value in record.labels.items()}
    when = {"name": record.name, "kind": record.kind, "created_utc": record.created_utc}
    return when | labels | record.quantities()


def pairs(runs: Iterable[Run]) -> list[Pair]:
    """The measured runs that have a prediction of the same name."""
    runs = list(runs)
    predicted = {run.record.name: run for run in runs if not run.measured}
    return [
        Pair(run, predicted[run.record.name])
        for run in runs
        if run.measured and run.record.name in predicted
    ]


def _records(root: Path) -> list[Path]:
    """The records at or below a path, which may be a record itself."""
    if root.is_file():
        return [root]
    if not root.exists():
        raise InputError(f"expected a folder with runs at {root}", "no such file or folder")
    return list(root.rglob("record.json"))


def _metrics(folder: Path) -> tuple[dict[str, Any], ...]:
    path = folder / "metrics.jsonl"
    if not path.is_file():
        return ()
    lines = []
    try:
        with path.open("rb") as file:
            for line in bounded_lines(file, path):
                # A torn line of a run that was killed, or another program's.
                with contextlib.suppress(*UNPARSED):
                    row = json.loads(line)
                    if isinstance(row, dict) and depth(row) <= MOST_DEPTH:
                        lines.append(row)
    except OSError as error:
        raise InputError(f"expected to read {path}", reason(error)) from error
    return tuple(lines)
