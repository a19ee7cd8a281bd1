"""Merges the ledgers of ranks, restarts and nodes into one record; no joule is counted twice.

A device is identified by boot and name (a GPU by its UUID), a moment by the clock of that boot.
Each stretch of time of a device counts once, whichever run metered it. So the result does not
depend on the order of the ledgers, nor on whether one of them is named twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from energy.errors import InputError
from energy.ledger import accounting, joules
from energy.ledger import reader as ledger
from energy.ledger.segment import Segment
from energy.ledger.wasted import Span
from energy.quantity import Quantity
from energy.record import EnergyEntry, RunRecord, totals

Device = tuple[str, str]
"""The boot and the name of a device."""


def merge(folders: Sequence[Path | str], name: str) -> RunRecord:
    """Merge the ledgers of several runs into one record.

    Args:
        folders: run folders, in any order, with or without repetitions.
        name: of the merged run.

    Returns:
        Joules and seconds of all devices; work (tokens, FLOP) is missing, as no ledger contains it.

    Raises:
        InputError: a folder contains no ledger.
    """
    if not folders:
        raise InputError("expected folders of runs", "none")
    paths = sorted({ledger.require_ledger(Path(folder)).resolve() for folder in folders})
    segments = [segment for path in paths for segment in ledger.segments(path)]
    if not segments:
        raise InputError("expected samples in the ledgers", "none")
    by_boot: dict[str, list[Segment]] = {}
    for segment in segments:
        by_boot.setdefault(segment.header["boot"], []).append(segment)
    elapsed_s = max(_seconds(covered(by_boot[boot])) for boot in sorted(by_boot))
    devices = _devices(segments)
    energy, chip_s = [], 0.0
    for (boot, device), own in sorted(devices.items()):
        host = own[0].header["host"]
        prefix = f"{host}-{boot[:8]}/" if len(by_boot) > 1 else ""
        entry, kind, seconds = _entry(device, own, prefix, elapsed_s)
        energy.append(entry)
        if kind == "gpu":
            chip_s += seconds
    template = accounting.record(
        paths[0], name=name, labels={}, notes=[f"merged from {len(devices)} devices"]
    )
    chip_source = "devices x their times"
    return template.model_copy(
        update={
            "energy": energy,
            "totals": totals(energy),
            "elapsed_s": Quantity.exact(elapsed_s, "s", "union of the ledgers' times"),
            "chip_s": Quantity.exact(chip_s or elapsed_s * len(by_boot), "s", chip_source),
            "windows": [],
            "phases": [],
        }
    )


def covered(segments: list[Segment]) -> list[Span]:
    """The stretches of one device, with each moment assigned to a single segment.

    The earliest segment covers its whole time, a later one what is still free.
    """
    ordered = sorted(segments, key=lambda s: (s.start_s, -s.stop_s, str(s.header.get("id"))))
    spans: list[Span] = []
    reached_s = float("-inf")
    for segment in ordered:
        start_s = max(segment.start_s, reached_s)
        if segment.stop_s > start_s:
            spans.append((segment, start_s, segment.stop_s))
            reached_s = segment.stop_s
    return spans


def _devices(segments: list[Segment]) -> dict[Device, list[Segment]]:
    """The segments in which each device was metered."""
    devices: dict[Device, list[Segment]] = {}
    for segment in segments:
        for domain in segment.header["domains"]:
            devices.setdefault((segment.header["boot"], domain["id"]), []).append(segment)
    return devices


def _entry(
    device: str, segments: list[Segment], prefix: str, elapsed_s: float
) -> tuple[EnergyEntry, str, float]:
    """The joules, the kind and the metered seconds of one device."""
    domain = next(d for d in segments[0].header["domains"] if d["id"] == device)
    spans = covered(segments)
    parts = [segment.between(device, start_s, stop_s) for segment, start_s, stop_s in spans]
    share = joules.covered_share(device, spans, elapsed_s)
    return (
        joules.entry(domain, parts, prefix=prefix, covered=share),
        domain["kind"],
        _seconds(spans),
    )


def _seconds(spans: list[Span]) -> float:
    return sum(stop_s - start_s for _, start_s, stop_s in spans)
