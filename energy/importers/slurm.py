"""What `sacct` says of jobs: ConsumedEnergyRaw, in joules, or ConsumedEnergy with a prefix.

The line of a job has the joules of all of its nodes; those of its steps (.batch, .extern, .0) are
parts of the same joules. A 0 means that Slurm metered nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from energy.errors import InputError
from energy.importers.imported import Device, Hints, ImportedRun, Importer, Skipped, node, number
from energy.importers.moments import Clock
from energy.importers.tables import cells_of

RAW, ROUNDED = "ConsumedEnergyRaw", "ConsumedEnergy"

FIX = "sacct -P -j JOB --format=JobID,JobName,Start,Elapsed,NNodes,ConsumedEnergyRaw > FILE"

PREFIXES = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
"""Slurm divides by 1,000 (convert_num_unit2 with base 1000)."""

JOULES = re.compile(r"(\d+(?:\.\d+)?)([KMGTP]?)")
ELAPSED = re.compile(r"(?:(\d+)-)?(\d+):(\d\d):(\d\d)(?:\.\d+)?")

MOST_ELAPSED = 30
"""Characters of a duration."""

MOST_J = 1e15
"""More is Slurm's mark for a number that it does not have (2^64 - 2 among others)."""

METER = "what Slurm's energy plugin reads (RAPL, IPMI or the node's counters) is not in the file"


def recognizes(text: str) -> bool:
    """Whether a line names its columns."""
    return any("JobID" in line and ROUNDED in line for line in text.splitlines())


def read(text: str, hints: Hints) -> list[ImportedRun]:
    """A run for each job that has joules."""
    skipped = Skipped()
    jobs: dict[str, list[Mapping[str, str]]] = {}
    for line, row in _rows(text):
        job = row["JobID"].partition(".")[0]
        if not re.fullmatch(r"\d+(_\d+|\+\d+)?", job):
            skipped.add(line)
            continue
        jobs.setdefault(job, []).append(row)
    runs = []
    for job, rows in jobs.items():
        run = _run(job, rows, hints)
        if run is None:
            skipped.add(0, f"job {job} is left out: it has no joules or no duration")
        else:
            runs.append(run)
    for run in runs:
        run.notes += skipped.notes()
    if jobs and not runs:
        raise InputError(
            f"expected jobs with joules in {hints.file}",
            "0, nothing or no duration in every job",
            "Slurm meters where AcctGatherEnergyType is set; " + FIX,
        )
    return runs


def _rows(text: str) -> list[tuple[int, dict[str, str]]]:
    """Lines by column, of a table with bars, with commas or with columns of one width."""
    head = next((line for line in text.splitlines() if "JobID" in line), "")
    divider = next((sign for sign in ("|", ",") if sign in head), " ")
    names: list[str] = []
    widths: list[int] = []
    rows = []
    for line, content in enumerate(text.splitlines(), 1):
        if divider == " ":
            if set(content.strip()) == {"-", " "} or set(content.strip()) == {"-"}:
                widths = [len(word) for word in content.split()]
                continue
            cells = _cut(content, widths) if widths and names else content.split()
        else:
            cells = next((cells for _, cells in cells_of(content, divider)), [])
        if "JobID" in cells:
            names = cells
        elif names and cells and len(cells) <= len(names):
            row = dict.fromkeys(names, "") | dict(zip(names, cells, strict=False))
            rows.append((line, row))
    return rows


def _cut(content: str, widths: list[int]) -> list[str]:
    """Cells of columns that are as wide as the lines of dashes beneath their names."""
    cells, place = [], 0
    for width in widths:
        cells.append(content[place : place + width].strip())
        place += width + 1
    return cells


def _run(job: str, rows: list[Mapping[str, str]], hints: Hints) -> ImportedRun | None:
    whole = next((row for row in rows if row["JobID"] == job), None)
    steps = [row for row in rows if row["JobID"] != job]
    joules, error_j = _joules(whole) if whole else (0.0, 0.0)
    notes = [METER]
    if joules <= 0 and steps:
        joules, error_j = max(map(_joules, steps))
        notes.append("the job's own line has no joules: those of its greatest step count")
    elif steps:
        count = "1 step is a part" if len(steps) == 1 else f"{len(steps)} steps are parts"
        notes.append(f"{count} of the job, without joules of their own")
    seconds = max((_elapsed(row) for row in ([whole] if whole else steps)), default=0.0)
    if joules <= 0 or seconds <= 0:
        return None
    begin_s, more = _begin(whole or steps[0], hints)
    nodes = _nodes(whole or steps[0])
    name, spread = "node" if nodes == 1 else "nodes", error_j / joules
    domain = node(name, "Slurm, ConsumedEnergy", by_power=False, nodes=nodes)
    domain = replace(domain, low=domain.low * (1 - spread), high=domain.high * (1 + spread))
    return ImportedRun(
        name=(whole or steps[0]).get("JobName") or f"job-{job}",
        devices=[Device(domain, spent=[(begin_s, begin_s + seconds, joules)])],
        chips=hints.chips or nodes,
        labels={"job": job},
        facts={"job": {"scheduler": "slurm", "id": job, "nodes": nodes}},
        notes=[*notes, *more],
    )


def _joules(row: Mapping[str, str]) -> tuple[float, float]:
    """Joules of a line, and half of the last digit that it shows; 0 where it has none."""
    text = row.get(RAW) or row.get(ROUNDED) or ""
    match = JOULES.fullmatch(text)
    if match is None:
        return 0.0, 0.0
    digits, prefix = match.groups()
    scale = PREFIXES[prefix]
    joules = float(digits) * scale
    places = len(digits.partition(".")[2])
    return (joules, 0.5 * scale / 10**places) if joules < MOST_J else (0.0, 0.0)


def _elapsed(row: Mapping[str, str]) -> float:
    """Seconds of a line: [days-]hours:minutes:seconds; 0 where it has none."""
    if row.get("ElapsedRaw", "").isdecimal():
        return number(row["ElapsedRaw"], 0, 1e18)
    text = row.get("Elapsed", "")
    match = ELAPSED.fullmatch(text)
    if match is None or len(text) > MOST_ELAPSED:
        return 0.0
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return 86_400.0 * days + 3600 * hours + 60 * minutes + seconds


def _begin(row: Mapping[str, str], hints: Hints) -> tuple[float, list[str]]:
    """When a job began; 0, and a note, where the file does not tell."""
    clock = Clock(hints.timezone)
    try:
        begin_s = clock.seconds(row["Start"])
    except (KeyError, ValueError):
        return 0.0, ["the file does not tell when the job began (column Start)"]
    return begin_s, clock.notes()


def _nodes(row: Mapping[str, str]) -> int:
    texts = (row.get(name, "") for name in ("NNodes", "AllocNodes"))
    return max([1, *(int(text) for text in texts if text.isdecimal() and len(text) < 7)])


IMPORTER = Importer("sacct", "a table of sacct", FIX, recognizes, read)
