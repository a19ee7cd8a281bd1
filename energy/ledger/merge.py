"""Ledgers of ranks, restarts and nodes become one record in which no joule is counted twice.

A device is known by boot and name (a GPU by its UUID), a moment by the clock of that boot. Each
stretch of time of each device counts once, whoever metered it, so the result does not depend on
the order of the ledgers or on one being given twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from energy.errors import InputError
from energy.ledger import accounting
from energy.ledger import reader as ledger
from energy.ledger.reader import require_ledger
from energy.ledger.segment import Row, Segment
from energy.quantity import Quantity
from energy.record import RunRecord, totals


@dataclass(frozen=True)
class Covered:
    """A stretch of one device that one segment accounts for."""

    segment: Segment
    start_s: float
    stop_s: float


def merge(folders: Sequence[Path], name: str) -> RunRecord:
    """One record of many ledgers.

    Args:
        folders: run folders, in any order, with repetitions or without.
        name: of the merged run.

    Returns:
        Joules and seconds of all devices; work (tokens, FLOP) is missing, as no ledger holds it.

    Raises:
        InputError: a folder holds no ledger.
    """
    if not folders:
        raise InputError("expected folders of runs", "none")
    found: dict[tuple[str, str], list[Segment]] = {}
    everything: list[Segment] = []
    paths = sorted({require_ledger(folder).resolve() for folder in folders})
    for path in paths:
        for segment in ledger.segments(path):
            everything.append(segment)
            for domain in segment.header["domains"]:
                found.setdefault((segment.header["boot"], domain["id"]), []).append(segment)
    if not everything:
        raise InputError("expected samples in the ledgers", "none")
    boots = sorted({segment.header["boot"] for segment in everything})
    hosts = {segment.header["boot"]: segment.header["host"] for segment in everything}
    entries, chip_s = [], 0.0
    for (boot, domain_id), segments in sorted(found.items()):
        stretches = covered(segments)
        prefix = f"{hosts[boot]}-{boot[:8]}/" if len(boots) > 1 else ""
        domain = _domain(segments[0], domain_id)
        parts = [s.segment.between(domain_id, s.start_s, s.stop_s) for s in stretches]
        entries.append(accounting.entry(domain, parts, prefix))
        if domain["kind"] == "gpu":
            chip_s += sum(s.stop_s - s.start_s for s in stretches)
    elapsed_s = max(_wall(everything, boot) for boot in boots)
    template = accounting.record(
        paths[0],
        name=name,
        labels={},
        notes=[f"merged from {len(found)} devices"],
    )
    return template.model_copy(
        update={
            "energy": entries,
            "totals": totals(entries),
            "elapsed_s": Quantity.exact(elapsed_s, "s", "union of the ledgers' times"),
            "chip_s": Quantity.exact(
                chip_s or elapsed_s * len(boots), "s", "devices x their times"
            ),
            "windows": [],
            "phases": [],
        }
    )


def covered(segments: list[Segment]) -> list[Covered]:
    """Stretches of one device, each moment given to one segment only.

    The earliest segment takes its whole time; a later one what is still free.
    """
    ordered = sorted(segments, key=lambda s: (s.start_s, -s.stop_s, str(s.header.get("id"))))
    taken: list[Covered] = []
    reached = float("-inf")
    for segment in ordered:
        start_s = max(segment.start_s, reached)
        if segment.stop_s > start_s:
            taken.append(Covered(segment, start_s, segment.stop_s))
            reached = segment.stop_s
    return taken


def _domain(segment: Segment, domain_id: str) -> Row:
    return next(d for d in segment.header["domains"] if d["id"] == domain_id)


def _wall(segments: list[Segment], boot: str) -> float:
    """Seconds of one boot in which something was metered."""
    own = [segment for segment in segments if segment.header["boot"] == boot]
    return sum(s.stop_s - s.start_s for s in covered(own))
