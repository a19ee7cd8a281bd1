"""`energy import`: the log of another tool becomes runs, each with a ledger and a record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from energy.facts.site import Site
from energy.importers import folder as folders
from energy.importers import kinds
from energy.importers.imported import Hints
from energy.record import RunRecord


@dataclass(frozen=True)
class Imported:
    """The runs of a log.

    Attributes:
        records: of the runs.
        lines: what the user should know: the kind that was guessed, where the records are.
    """

    records: list[RunRecord]
    lines: list[str]


def imported(
    file: Path, kind: str | None, out: Path, hints: Hints, labels: Mapping[str, str], site: Site
) -> Imported:
    """Read a log and write its runs.

    Nothing is written before all of the log has been read and each run can be true.

    Args:
        file: the log.
        kind: of it; None to take the only one that it looks like.
        out: folder for the run; of several runs, each has a folder in it.
        hints: what the user says of the log.
        labels: of the runs.
        site: where they ran.

    Raises:
        InputError: the log cannot be read, or its joules cannot be true.
    """
    importer = kinds.named(kind) if kind else None
    text = kinds.text_of(file)
    lines = []
    if importer is None:
        importer = kinds.kind_of(text, file)
        lines.append(f"taken as {importer.title} (--from {importer.kind})")
    runs = [
        folders.completed(run, labels, file.name, importer.kind, hints.chips)
        for run in kinds.runs_of(importer, text, hints)
    ]
    records = []
    for run, folder in zip(runs, folders.folders_of(runs, out), strict=True):
        records.append(folders.write(run, folder, site))
        lines.append(f"record: {folder / 'record.json'}")
    return Imported(records, lines)
