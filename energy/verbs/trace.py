"""A run as a trace: its ledgers in the format that Perfetto opens, beside a predicted step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from energy.ledger.progress import Progress
from energy.ledger.reader import Lent, Reader
from energy.ledger.traced import Run, add_runs
from energy.record import RunRecord
from energy.trace import Trace, read_events
from energy.verbs.hourly import ledgers_of

STEP = "step"
"""The window beside which a predicted step begins."""


@dataclass(frozen=True)
class Traced:
    """A trace that was written.

    Attributes:
        path: of the file.
        slices: windows in it, and slices of the other trace.
        devices: with counters.
        beside: where the other trace begins, in words; empty without one.
    """

    path: Path
    slices: int
    devices: int
    beside: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data."""
        return {**vars(self), "path": str(self.path)}


def trace(folder: Path, out: Path, beside: Path | None = None) -> Traced:
    """Write the ledger of a run as a trace; of a merged run, those of its parts.

    Args:
        folder: of the run.
        out: file to write.
        beside: another trace, as of `simulator predict --trace`, which is added so that it begins
            with the step of median duration.

    Raises:
        InputError: there is no ledger, or a file is none.
        MissingDataError: the ledger has no sample.
    """
    record = RunRecord.load(folder)
    others = read_events(beside) if beside else []
    ledgers = ledgers_of(folder, record)
    drawn = Trace({"of": f"the run {record.name}", "boundaries": ", ".join(record.totals)})
    lent: Lent = {}
    with Progress(ledgers) as progress:
        readers = [Reader(path, lent=lent, on_bytes=progress.advance) for path in ledgers]
        names = [path.parent.name if len(ledgers) > 1 else "run" for path in ledgers]
        runs = [
            Run(name, segments)
            for name, reader in zip(names, readers, strict=True)
            if (segments := reader.segments())
        ]
    add_runs(drawn, runs)
    devices = {event["pid"] for event in drawn.events if event["ph"] == "C"}
    words = ""
    if others:
        after_s = _median_step_s(drawn)
        words = f"the other trace begins at {after_s or 0:.6g} s, " + (
            "at the run's begin: it has no window step"
            if after_s is None
            else "with the step of median duration"
        )
        drawn.add(others, after_s or 0.0)
    drawn.save(out)
    slices = sum(event["ph"] == "X" for event in drawn.events)
    return Traced(out, slices, len(devices), words)


def _median_step_s(drawn: Trace) -> float | None:
    """When the step of median duration begins; None without steps."""
    steps = sorted(
        (event["dur"], event["ts"])
        for event in drawn.events
        if event["ph"] == "X" and event["name"] == STEP
    )
    return steps[len(steps) // 2][1] / 1e6 if steps else None
