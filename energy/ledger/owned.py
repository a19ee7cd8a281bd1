"""What a rank owns of its node: the accelerators by local rank, all else with the first rank.

One process reads the meters of a node for all of its ranks, and a ledger has what was read. The
record of a rank counts what the rank owns, so that the records of a job add up to its devices; a
merged record counts every device that any rank has read, once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from energy.ledger.lines import Row
from energy.ledger.segment import Segment
from energy.quantity import Boundary

ACCELERATORS = ("gpu", "tpu")
"""Kinds of devices of which each rank has its own."""

OWN_TREE = "cpu-tree-"
"""Begin of the names of what a process meters of itself alone."""

SHOWN = 4
"""Devices that a note names."""


def owned(domains: Iterable[Row], header: Mapping[str, Any]) -> set[str]:
    """Ids of the domains that the rank with this header owns.

    Of n accelerators that are visible to each of r ranks of a node, rank i owns those numbered i,
    i + r, i + 2 r, ... If there are fewer than ranks, each owns all that it sees: they are bound to
    it, or shared. The first rank owns the processors, the memory and the node. A process that is
    no rank, or does not know its place on the node, owns everything.

    Example: 8 boards and 4 ranks: rank 1 owns boards 1 and 5.
    """
    rows = {domain["id"]: domain for domain in domains}
    place = _place(header)
    if place is None:
        return set(rows)
    local_rank, ranks = place
    roots = {name: _root(name, rows) for name in rows}
    devices = {roots[name] for name, row in rows.items() if row.get("kind") in ACCELERATORS}
    boards = [name for name in rows if name in devices]
    own = set(boards[local_rank % ranks :: ranks] if len(boards) >= ranks else boards)
    return {
        name
        for name, root in roots.items()
        if root in own or name.startswith(OWN_TREE) or (local_rank == 0 and root not in devices)
    }


def of_rank(segments: list[Segment]) -> tuple[list[Segment], list[str]]:
    """The segments with what their rank owns only, and a note if that is not everything."""
    own, left_out, kept = [], False, dict[str, None]()
    for segment in segments:
        names = owned(segment.header["domains"], segment.header)
        if names >= segment.curves.keys():
            own.append(segment)
        else:
            own.append(_only(segment, names))
            left_out = True
        kept |= {d["id"]: None for d in own[-1].header["domains"] if not d["within"]}
    return own, [_note(segments[-1].header["job"], list(kept))] if left_out else []


def _place(header: Mapping[str, Any]) -> tuple[int, int] | None:
    """Local rank and number of ranks of the node; None for what is no rank of several."""
    job = header.get("job") or {}
    local_rank, local_ranks = job.get("local_rank"), job.get("local_ranks")
    if header.get("whole_node") or job.get("rank") is None or (job.get("ranks") or 1) < 2:
        return None
    if not isinstance(local_rank, int) or not isinstance(local_ranks, int):
        return None
    return (local_rank, local_ranks) if 0 <= local_rank < local_ranks else None


def _root(name: str, rows: Mapping[str, Row]) -> str:
    """The outermost device around this one that is no machine: its board, or its module."""
    seen: set[str] = set()
    while name not in seen:
        seen.add(name)
        outer = rows.get(str(rows[name].get("within")))
        if outer is None or outer["boundary"] != Boundary.CHIP:
            break
        name = outer["id"]
    return name


def _only(segment: Segment, names: set[str]) -> Segment:
    """A segment with some of its domains."""
    domains = [domain for domain in segment.header["domains"] if domain["id"] in names]
    return replace(
        segment,
        header={**segment.header, "domains": domains},
        curves={name: curve for name, curve in segment.curves.items() if name in names},
        checks={name: check for name, check in segment.checks.items() if name in names},
    )


def _note(job: Mapping[str, Any], names: list[str]) -> str:
    """What the joules of a rank are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    what = f"the joules are those of {', '.join(names[:SHOWN])}{more}" if names else "no joules"
    return f"rank {job['rank']} of {job['ranks']} owns a part of its node: {what}; " + MERGE


MERGE = "energy merge FOLDER has those of all ranks"
