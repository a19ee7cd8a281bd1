"""The kinds of logs that can be imported, and which of them a text is."""

from __future__ import annotations

from pathlib import Path

from energy.errors import InputError, require_choice
from energy.importers import (
    amd_smi,
    carbontracker,
    chip_hours,
    codecarbon_csv,
    ipmi,
    megatron,
    mlperf,
    nvidia_smi,
    perun,
    prometheus,
    slurm,
    zeus,
)
from energy.importers.imported import Hints, ImportedRun, Importer
from energy.inputs import read_bytes

IMPORTERS = (
    nvidia_smi.IMPORTER,
    amd_smi.IMPORTER,
    prometheus.DCGM,
    prometheus.RANGE,
    codecarbon_csv.IMPORTER,
    zeus.IMPORTER,
    perun.IMPORTER,
    carbontracker.IMPORTER,
    slurm.IMPORTER,
    megatron.IMPORTER,
    mlperf.TRAINING,
    mlperf.PTD,
    ipmi.IMPORTER,
    chip_hours.IMPORTER,
)

HEAD = 200_000
"""Characters in which a log shows what it is."""


def text_of(path: Path) -> str:
    """The text of a log; a byte that is no letter becomes a sign that no number has.

    Raises:
        InputError: it cannot be read, is empty or is no text.
    """
    content = read_bytes(path, "a log", "name a file")
    if not content.strip():
        raise InputError(f"expected a log at {path}", "an empty file")
    if b"\0" in content[:HEAD] and not content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"expected a log at {path}", "a file that is no text")
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    return content.decode(encoding, errors="replace")


def kind_of(text: str, path: Path) -> Importer:
    """The importer that knows a text.

    Raises:
        InputError: none does, or several do.
    """
    known = [importer for importer in IMPORTERS if importer.recognizes(text[:HEAD])]
    kinds = ", ".join(importer.kind for importer in known or IMPORTERS)
    if len(known) != 1:
        seen = "a text that several of them know" if known else "a text that none of them knows"
        raise InputError(f"expected a log of one kind in {path}", seen, f"name it: --from {kinds}")
    return known[0]


def named(kind: str) -> Importer:
    """The importer of a kind.

    Raises:
        InputError: there is none of that name.
    """
    require_choice("kind of log", kind, [importer.kind for importer in IMPORTERS])
    return next(importer for importer in IMPORTERS if importer.kind == kind)


def runs_of(importer: Importer, text: str, hints: Hints) -> list[ImportedRun]:
    """The runs in a text.

    Raises:
        InputError: there is none, or something that it needs is not there.
    """
    runs = importer.read(text, hints)
    if not runs:
        raise InputError(
            f"expected {importer.title} in {hints.file}",
            "no line with joules or watts",
            f"written by: {importer.layout}",
        )
    return runs
