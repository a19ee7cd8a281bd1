"""Which ledgers belong together: of one job, each rank once; and which ranks are missing.

A total that leaves out a rank says so by name, so that it is never just smaller.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from energy.errors import InputError
from energy.ledger.job import attempt_of
from energy.ledger.lines import FILE, require_ledger
from energy.ledger.segment import Segment
from energy.quantity import Boundary, Origin
from energy.record import EnergyEntry

Runs = Mapping[Path, Sequence[Segment]]
"""The segments of each ledger."""

NAMED_RANKS = 8
"""Ranks that a message names one by one."""

NO_LEDGER = "no ledger here: the total is incomplete until its folder is merged too"
"""Why the joules of a rank are missing."""


def ledgers_of(folders: Iterable[Path | str]) -> dict[Path, list[Path]]:
    """The ledgers of some folders, by the folder that was named.

    Args:
        folders: of runs, of jobs with the folders of their ranks in them, or ledgers themselves.

    Raises:
        InputError: there is no ledger in one of them, nor below it.
    """
    named: dict[Path, list[Path]] = {}
    for folder in map(Path, folders):
        below = []
        if folder.is_dir() and not (folder / FILE).exists():
            below = sorted(folder.rglob(FILE))
            if not below:
                raise InputError(
                    f"expected ledgers in {folder} or in its folders", "none", "name that of a job"
                )
        named[folder] = [require_ledger(path).resolve() for path in below or [folder]]
    return named


def merged_folder(folders: Sequence[Path]) -> Path:
    """The folder of a merged record where none was named: that of the one job that is merged.

    Raises:
        InputError: there are several, or the only one is that of a single run, which has a record.
    """
    if len(folders) == 1 and folders[0].is_dir() and not (folders[0] / FILE).exists():
        return folders[0]
    raise InputError("expected a folder for the merged record", "none", "name one: --out runs/all")


def require_one_job(folder: Path, runs: Runs) -> None:
    """Check that the ledgers below a folder are of one job.

    A job that goes on under another id, as one that was submitted again, is one where a ledger has
    both.

    Raises:
        InputError: they are of several.
    """
    jobs: list[set[str]] = []
    for segments in runs.values():
        own = {str(name) for job in _jobs(segments) if (name := job.get("id")) is not None}
        if own:
            own = own.union(*(other for other in jobs if other & own))
            jobs = [*(other for other in jobs if not other & own), own]
    if len(jobs) > 1:
        names = ", ".join(sorted(min(own) for own in jobs))
        raise InputError(
            f"expected ledgers of one job in {folder}",
            f"those of jobs {names}",
            "give each job a folder of its own, or name the folders of one job's ranks",
        )


def require_each_rank_once(runs: Runs) -> None:
    """Check that no two ledgers are of the same rank in the same attempt of a job.

    Raises:
        InputError: there are two, as of a folder and its copy.
    """
    first: dict[tuple[Any, ...], Path] = {}
    for path, segments in runs.items():
        for job in _jobs(segments):
            key = (job.get("scheduler"), job.get("id"), attempt_of(job), job["rank"])
            other = first.setdefault(key, path)
            if other != path:
                raise InputError(
                    "expected the ledger of each rank once",
                    f"rank {job['rank']} twice: {other.parent} and {path.parent}",
                    "name one of the two, and merge each launch on its own",
                )


def ledgers_by_rank(runs: Runs) -> dict[int | Path, list[Segment]]:
    """The segments of each rank in the order of its attempts; a ledger of no rank stands alone."""
    result: dict[int | Path, list[Segment]] = {}
    for path, segments in runs.items():
        job = next(_jobs(segments), None)
        result.setdefault(path if job is None else int(job["rank"]), []).extend(segments)
    for own in result.values():
        own.sort(key=lambda segment: str(segment.header.get("utc") or ""))
    return {key: own for key, own in result.items() if own}


def missing_ranks(runs: Runs) -> list[int]:
    """Ranks of the job of which there is no ledger."""
    expected, present = 0, set[int]()
    for segments in runs.values():
        for job in _jobs(segments):
            expected = max(expected, int(job["ranks"]))
            present |= _covered(job, segments)
    return sorted(set(range(expected)) - present)


def missing_entries(ranks: Sequence[int], boundaries: Iterable[Boundary]) -> list[EnergyEntry]:
    """Entries without joules for ranks of which there is no ledger, so that each total names them.

    Args:
        ranks: their numbers.
        boundaries: of the totals.
    """
    return [
        EnergyEntry(
            device=named_ranks(ranks),
            boundary=boundary,
            value=None,
            origin=Origin.MISSING,
            source=NO_LEDGER,
            why=NO_LEDGER,
        )
        for boundary in sorted(boundaries)
        if ranks
    ]


def named_ranks(ranks: Sequence[int]) -> str:
    """Ranks in words: "rank 3", "ranks 3, 4 and 9 more"."""
    names = ", ".join(map(str, ranks[:NAMED_RANKS]))
    more = f" and {len(ranks) - NAMED_RANKS} more" if len(ranks) > NAMED_RANKS else ""
    return f"rank{'s' if len(ranks) > 1 else ''} {names}{more}"


def _covered(job: Mapping[str, Any], segments: Sequence[Segment]) -> set[int]:
    """The ranks that a ledger is of: one, or all of a node that one rank meters for all."""
    rank, local = int(job["rank"]), job.get("local_rank")
    if local is None or not any(segment.header.get("whole_node") for segment in segments):
        return {rank}
    return set(range(rank - local, rank - local + int(job.get("local_ranks") or 1)))


def _jobs(segments: Iterable[Segment]) -> Iterator[Mapping[str, Any]]:
    """The jobs of which segments are ranks; damaged facts are none."""
    for segment in segments:
        job = segment.header.get("job")
        if isinstance(job, dict) and _is_count(job.get("rank")) and _is_count(job.get("ranks")):
            yield job


def _is_count(value: object) -> bool:
    return isinstance(value, int) and 0 <= value < 1 << 31
