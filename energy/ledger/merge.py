"""Merges the ledgers of ranks, restarts and nodes into one record; no joule is counted twice.

A device is identified by boot and name (a GPU by its UUID), a moment by the clock of that boot.
Each moment of a device counts once, as the first run read it that read it at all. So the result
does not depend on the order of the ledgers, nor on whether one of them is named twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from energy.errors import InputError
from energy.ledger import accounting, joules
from energy.ledger import reader as ledger
from energy.ledger.environment import devices_of, machines_of, of_run
from energy.ledger.intervals import Interval, length, union
from energy.ledger.lines import OnBytes, Row
from energy.ledger.node import Node, elapsed
from energy.ledger.notes import notes_of
from energy.ledger.segment import Segment
from energy.ledger.together import (
    NO_LEDGER,
    ledgers_of,
    missing_entries,
    missing_ranks,
    named_ranks,
    require_each_rank_once,
    require_one_job,
)
from energy.ledger.wasted import wasted_spans
from energy.quantity import Origin, Quantity
from energy.record import EnergyEntry, RunRecord, Wasted, nothing_wasted, totals

NO_SAMPLE = "it has no sample and was left out"
"""Note on a ledger whose process died before it read a meter."""

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
        Joules and seconds of all devices; work (tokens, FLOP) is missing, as no ledger contains it.

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
    missing = missing_ranks(runs)
    nodes = nodes_of(segment for segments in runs.values() for segment in segments)
    energy = [entry for node in nodes.values() for entry in node.entries()]
    devices = len({entry.device for entry in energy})
    energy += missing_entries(missing, {entry.boundary for entry in energy})
    elapsed_s = elapsed(nodes.values())
    chip_s = sum(node.device_s("gpu") for node in nodes.values()) or elapsed_s * len(nodes)
    segments = [segment for node in nodes.values() for segment in node.segments]
    return accounting.measured(
        name=name,
        elapsed_s=Quantity.exact(elapsed_s, "s", "union of the ledgers' times"),
        chip_s=Quantity.exact(chip_s, "s", "devices x their times"),
        energy=energy,
        totals=totals(energy),
        wasted=_wasted(runs, nodes, energy),
        environment={
            **_of_runs(segments, nodes.values()),
            "host": ", ".join(sorted({segment.header["host"] for segment in segments})),
        },
        labels=_agreed([segment.header.get("labels") or {} for segment in segments]),
        notes=[
            f"merged from {devices} devices in {len(paths)} ledgers",
            *([f"{named_ranks(missing)}: {NO_LEDGER}"] if missing else []),
            *(
                f"{node.prefix}{device}: {reason}"
                for node in nodes.values()
                for device, reason in node.refused.items()
            ),
            *(f"{_named(places)}: {note}" for note, places in notes.items()),
        ],
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
        raise InputError("expected samples in the ledgers", "none")
    return {boot: Node(own, _prefix(boot, by_boot)) for boot, own in sorted(by_boot.items())}


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


def _wasted(
    runs: dict[Path, list[Segment]], nodes: dict[str, Node], energy: list[EnergyEntry]
) -> Wasted:
    """What any of the runs threw away; a moment of a device counts once."""
    by_boot: dict[str, list[Interval]] = {}
    for segments in runs.values():
        for segment, begin_s, end_s in wasted_spans(segments):
            by_boot.setdefault(segment.header["boot"], []).append((begin_s, end_s))
    if not by_boot:
        return nothing_wasted("ledgers: nothing was repeated", accounting.weakest(energy))
    stretches = {boot: union(intervals) for boot, intervals in sorted(by_boot.items())}
    lost = [entry for boot, own in stretches.items() for entry in nodes[boot].entries(own)]
    source = "ledgers: work that any of the runs repeated or threw away"
    return Wasted(
        energy_j=joules.innermost(lost, "J"),
        model_flop=Quantity.absent("FLOP", "no ledger contains FLOP"),
        elapsed_s=Quantity.exact(
            max(length(own) for own in stretches.values()), "s", source, Origin.MEASURED
        ),
    )
