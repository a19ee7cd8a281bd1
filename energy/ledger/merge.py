"""Merges the ledgers of ranks, restarts and nodes into one record; no joule is counted twice.

A device is identified by boot and name (a GPU by its UUID), a moment by the clock of that boot.
Each moment of a device counts once, as the first run read it that read it at all. So the result
does not depend on the order of the ledgers, nor on whether one of them is named twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from energy.arithmetic import add
from energy.errors import InputError
from energy.ledger import accounting, joules
from energy.ledger import reader as ledger
from energy.ledger.attempts import attempts_of, goodput
from energy.ledger.environment import devices_of, machines_of, of_run
from energy.ledger.intervals import Interval, union
from energy.ledger.lines import FLOP, TOKENS, OnBytes, Row
from energy.ledger.node import Node, elapsed_in
from energy.ledger.notes import notes_of
from energy.ledger.ranks import ranks_of
from energy.ledger.segment import Segment
from energy.ledger.stated import COUNTS
from energy.ledger.together import (
    NO_LEDGER,
    ledgers_by_rank,
    ledgers_of,
    missing_entries,
    missing_ranks,
    named_ranks,
    require_each_rank_once,
    require_one_job,
)
from energy.ledger.wasted import counted, wasted_spans
from energy.parallel import Attempt
from energy.quantity import Origin, Quantity
from energy.record import EnergyEntry, RunRecord, Wasted, nothing_wasted, totals

NO_SAMPLE = "it has no sample and was left out"
"""Note on a ledger whose process died before it read a meter."""

NO_SAMPLES = "expected samples in the ledgers"

NAMED = ("scheduler", "id", "name", "launcher")
"""Facts of a job of which a merged record names all."""


def merge(folders: Sequence[Path | str], name: str, on_bytes: OnBytes | None = None) -> RunRecord:
    """Merge the ledgers of several runs into one record.

    Args:
        folders: folders of runs, or of jobs with the folders of their ranks in them, in any order,
            with or without repetitions.
        name: of the merged run.
        on_bytes: called now and then with the number of bytes that were read since the last call.

    Returns:
        Joules and seconds of all devices, tokens and FLOP that the ranks counted, what was lost by
        attempt, and how even the work of the ranks was.

    Raises:
        InputError: a folder contains no ledger, or none of the ledgers has a sample; a rank is
            there twice, or below one folder are the ledgers of two jobs.
    """
    if not folders:
        raise InputError("expected folders of runs", "none")
    named = ledgers_of(folders)
    paths = sorted({path for own in named.values() for path in own})
    runs, notes = _read(paths, on_bytes)
    for folder, own in named.items():
        require_one_job(folder, {path: runs[path] for path in own})
    require_each_rank_once(runs)
    by_rank, missing = ledgers_by_rank(runs), missing_ranks(runs)
    nodes = nodes_of(segment for segments in runs.values() for segment in segments)
    energy = [entry for node in nodes.values() for entry in node.entries()]
    devices = len({entry.device for entry in energy})
    energy += missing_entries(missing, {entry.boundary for entry in energy})
    elapsed_s = elapsed_in(nodes, {boot: node.times for boot, node in nodes.items()})
    chip_s = sum(node.device_s("gpu") for node in nodes.values()) or elapsed_s * len(nodes)
    segments = [segment for node in nodes.values() for segment in node.segments]
    attempts = attempts_of(by_rank.values(), nodes)
    return accounting.measured(
        **_worked(by_rank),
        name=name,
        elapsed_s=Quantity.exact(elapsed_s, "s", "union of the ledgers' times"),
        chip_s=Quantity.exact(chip_s, "s", "devices x their times"),
        energy=energy,
        totals=totals(energy),
        wasted=_wasted(by_rank, nodes, attempts, energy),
        attempts=attempts,
        ranks=ranks_of({k: own for k, own in by_rank.items() if isinstance(k, int)}, nodes),
        metrics=goodput(attempts),
        environment={
            **_of_runs(segments, nodes.values()),
            "host": ", ".join(sorted({segment.header["host"] for segment in segments})),
        },
        labels=_agreed([segment.header.get("labels") or {} for segment in segments]),
        notes=_notes(devices, len(paths), missing, nodes.values(), notes),
    )


def nodes_of(segments: Iterable[Segment]) -> dict[str, Node]:
    """The nodes that segments are of, by boot.

    Raises:
        InputError: there is no segment, which is one of samples.
    """
    by_boot: dict[str, list[Segment]] = {}
    for segment in segments:
        by_boot.setdefault(segment.header["boot"], []).append(segment)
    if not by_boot:
        raise InputError(NO_SAMPLES, "none")
    return {boot: Node(own, _prefix(boot, by_boot)) for boot, own in sorted(by_boot.items())}


def _notes(
    devices: int,
    count: int,
    missing: list[int],
    nodes: Iterable[Node],
    notes: Mapping[str, list[str]],
) -> list[str]:
    """What a reader of the merged record should know, and what its ledgers say of themselves."""
    return [
        f"merged from {devices} devices in {count} ledgers",
        *([f"{named_ranks(missing)}: {NO_LEDGER}"] if missing else []),
        *(
            f"{node.prefix}{device}: {reason}"
            for node in nodes
            for device, reason in node.refused.items()
        ),
        *(f"{_named(places)}: {note}" for note, places in notes.items()),
    ]


def _read(
    paths: list[Path], on_bytes: OnBytes | None
) -> tuple[dict[Path, list[Segment]], dict[str, list[str]]]:
    """The segments of each ledger, and the names of the folders that each note is about."""
    runs: dict[Path, list[Segment]] = {}
    notes: dict[str, list[str]] = {}
    lent: ledger.Lent = {}
    for path in paths:
        reader = ledger.Reader(path, lent=lent, on_bytes=on_bytes)
        runs[path] = reader.segments()
        for note in notes_of(runs[path], reader.damaged) if runs[path] else [NO_SAMPLE]:
            notes.setdefault(note, []).append(path.parent.name)
    return runs, notes


def _prefix(boot: str, by_boot: dict[str, list[Segment]]) -> str:
    """What distinguishes the devices of a node: nothing if there is only one."""
    return f"{by_boot[boot][0].header['host']}-{boot[:8]}/" if len(by_boot) > 1 else ""


def _named(places: list[str]) -> str:
    """The folders that a note is about."""
    return places[0] if len(places) == 1 else f"{len(places)} ledgers"


def _agreed(every: list[Row]) -> Row:
    """The entries that all of them have with the same value."""
    return {k: v for k, v in every[0].items() if all(other.get(k) == v for other in every)}


def _of_runs(segments: list[Segment], nodes: Iterable[Node]) -> dict[str, Any]:
    """What all ledgers say of their runs: the devices of every node, and the jobs of all ranks.

    Of their machines, what is the same in all.
    """
    facts = of_run(segments)
    machines = machines_of(segments)
    for name in {name for own in machines for name in own} - _agreed(machines or [{}]).keys():
        facts.pop(name, None)
    states = {
        node.prefix + name: state
        for node in nodes
        for name, state in devices_of(node.segments).in_order().as_dict().items()
    }
    if states:
        facts["devices"] = states
    if "job" in facts:
        facts["job"] = _jobs([job for segment in segments if (job := segment.header.get("job"))])
    return facts


def _jobs(jobs: list[Row]) -> Row:
    """What the jobs of all ranks have in common, and where their ids or names differ, all of them.

    The number of a rank, or of its node, is that of one ledger.
    """
    facts = _agreed(jobs)
    for fact in NAMED:
        values = {str(job[fact]): None for job in jobs if fact in job}
        if len(values) > 1:
            facts[fact] = ", ".join(sorted(values))
    return facts


def _worked(ledgers: Mapping[int | Path, list[Segment]]) -> dict[str, Quantity]:
    """The tokens and FLOP that the ranks counted, each its own, without what was lost."""
    work: dict[str, float] = {}
    for segments in ledgers.values():
        wasted = wasted_spans(segments)
        for name, kind in (("tokens", TOKENS), ("model_flop", FLOP)):
            work[name] = work.get(name, 0.0) + counted(segments, wasted, kind)
    source = "marks of all ranks in their ledgers"
    return {n: Quantity.exact(count, COUNTS[n], source) for n, count in work.items() if count}


def _wasted(
    ledgers: Mapping[int | Path, list[Segment]],
    nodes: Mapping[str, Node],
    attempts: Sequence[Attempt],
    energy: list[EnergyEntry],
) -> Wasted:
    """What any of the ranks threw away; a moment of a device counts once, in its own attempt."""
    by_boot: dict[str, list[Interval]] = {}
    flop = 0.0
    for segments in ledgers.values():
        spans = wasted_spans(segments)
        flop += counted(segments, spans, FLOP, lost=True)
        for segment, begin_s, end_s in spans:
            by_boot.setdefault(segment.header["boot"], []).append((begin_s, end_s))
    if not by_boot:
        return nothing_wasted("ledgers: nothing was repeated", accounting.weakest(energy))
    stretches = {boot: union(intervals) for boot, intervals in sorted(by_boot.items())}
    source = "ledgers: work that any of the runs repeated or threw away"
    if attempts:
        lost_j = add([attempt.wasted_j for attempt in attempts], source=source)
        lost_s = sum(attempt.wasted_s.value or 0.0 for attempt in attempts)
    else:
        lost = [entry for boot, own in stretches.items() for entry in nodes[boot].entries(own)]
        lost_j, lost_s = joules.innermost(lost, "J"), elapsed_in(nodes, stretches)
    return Wasted(
        energy_j=lost_j,
        model_flop=Quantity.exact(flop, "FLOP", source)
        if flop
        else Quantity.absent("FLOP", "no ledger contains FLOP"),
        elapsed_s=Quantity.exact(lost_s, "s", source, Origin.MEASURED),
    )
