"""What ledgers hold: the time of a run, and the time that the readings on disk tell.

A sampler that is killed takes the readings since its last sample with it, so only those on disk
count as read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.meters import spans
from benchmarks.meters.spans import Span
from energy.ledger import lines as ledger
from energy.ledger.lines import Row

OF_THE_RUN = ("s", "window", "mark", "attach", "alive", "end")
"""Kinds of rows that show that a run went on."""


def rows_of(path: Path) -> list[Row]:
    """The rows of a ledger."""
    return [row for row, _ in ledger.rows(path)]


def time_of(rows: Iterable[Row]) -> Span:
    """First and last moment of a run that its rows mention."""
    moments = [
        row[name] / 1e9
        for row in rows
        for name in ("m", "m0", "m1")
        if name in row and row["k"] in OF_THE_RUN
    ]
    return min(moments), max(moments)


def read_of(rows: Iterable[Row], device: str, every_s: float) -> tuple[list[Span], list[float]]:
    """The time that the readings of a device in one ledger surely tell, and their moments.

    Args:
        rows: of the ledger.
        device: name of its domain.
        every_s: the longest time between two readings of its power.
    """
    counted: list[float] = []
    powers: list[float] = []
    domains: list[Mapping[str, Any]] = []
    for row in rows:
        if row["k"] == "header":
            domains = row["domains"]
        elif row["k"] == "s":
            counted += _counted(row, domains, device)
            powers += _powers(row, domains, device)
        elif row["k"] == "t":
            counted += [ns / 1e9 for ns, _ in row["j"].get(device, [])]
    counter = [(min(counted), max(counted))] if counted else []
    read = spans.union([*counter, *spans.between_readings(sorted(powers), every_s)])
    return read, sorted([*counted, *powers])


def _counted(row: Row, domains: Sequence[Mapping[str, Any]], device: str) -> Iterator[float]:
    """The moment at which a sample's joules of a device were read."""
    ages = row.get("a") or [None] * len(row["j"])
    for domain, joules, age_us in zip(domains, row["j"], ages, strict=False):
        if domain["id"] == device and joules is not None:
            yield row["m"] / 1e9 - (age_us or 0) / 1e6


def _powers(row: Row, domains: Sequence[Mapping[str, Any]], device: str) -> Iterator[float]:
    """The moments at which the power of a device was read since the sample before."""
    for meter, polls in row.get("p", {}).items():
        names = [
            domain["id"]
            for domain in domains
            if domain["method"] == "power" and domain["meter"] == meter and not domain["reason"]
        ]
        for age_us, *watts in polls:
            if dict(zip(names, watts, strict=True)).get(device) is not None:
                yield row["m"] / 1e9 - age_us / 1e6
