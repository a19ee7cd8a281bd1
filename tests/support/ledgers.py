"""Ledgers whose joules are known, as rows, for tests of what reads them."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from energy.ledger import accounting
from energy.ledger.lines import FILE, Row
from energy.record import EnergyEntry, RunRecord
from tests.support.standin import write_ledger

LIMIT_W = 700.0
"""Most watts of the boards of these ledgers."""


def domain(device: str = "gpu-0", method: str = "counter", **fields: Any) -> Row:
    """A board in the header of a ledger of version 2."""
    return {
        "id": device,
        "kind": "gpu",
        "boundary": "chip",
        "within": None,
        "api": "test",
        "method": method,
        "origin": "measured",
        "low": 0.9,
        "high": 1.1,
        "wrap_j": 0.0,
        "tick_s": 0.1,
        "limit_w": LIMIT_W,
        "meter": "nvml",
        "source": "test",
        "reason": "",
        "fix": "",
        **fields,
    }


def header(domains: Sequence[Row], **fields: Any) -> Row:
    """The row with which a sampler begins."""
    return {
        "k": "header",
        "v": 2,
        "id": "run",
        "boot": "boot",
        "host": "node",
        "interval_s": 1.0,
        "domains": list(domains),
        **fields,
    }


def sample(second: float, *joules: float | None, **fields: Any) -> Row:
    """A sample whose readings are dated by the sample itself."""
    return {"k": "s", "m": ns(second), "j": list(joules), "a": [0] * len(joules), **fields}


def polled(second: float, watts: Sequence[tuple[float, float | None]], *, others: int = 0) -> Row:
    """A sample with the readings of the power of one board at some moments.

    Args:
        second: of the sample.
        watts: moments and watts.
        others: how many domains with counters the header has besides.
    """
    polls = [[round((second - moment) * 1e6), power] for moment, power in watts]
    return {"k": "s", "m": ns(second), "j": [None] * (1 + others), "p": {"nvml": polls}}


def steady(start: int, stop: int, watts: float = 300.0) -> list[Row]:
    """Samples once a second, with the power of one board read ten times a second before each."""
    return [
        polled(second, [(second - (9 - i) / 10, watts) for i in range(10 if second > start else 1)])
        if second > start
        else polled(second, [(second, watts)])
        for second in range(start, stop + 1)
    ]


def window(name: str, begin: float, end: float) -> Row:
    """A window that closed."""
    return {"k": "window", "m0": ns(begin), "m1": ns(end), "name": name, "phase": "compute"}


def end(second: float) -> Row:
    """The end of a run in order."""
    return {"k": "end", "m": ns(second), "why": "closed"}


def ns(second: float) -> int:
    """Seconds as the ledger's nanoseconds."""
    return round(second * 1e9)


def record_of(folder: Path, rows: Iterable[Row]) -> RunRecord:
    """The record of a ledger with these rows."""
    folder.mkdir(parents=True, exist_ok=True)
    write_ledger(folder / FILE, rows)
    return accounting.record(folder / FILE, name="run", labels={}, notes=[])


def seconds_of(entries: Iterable[EnergyEntry], elapsed_s: float) -> dict[str, float]:
    """Seconds of one device that were read, bridged and missing."""
    seconds = {"read": 0.0, "bridged": 0.0, "missing": 0.0}
    for entry in entries:
        if entry.origin == "missing":
            seconds["missing"] += entry.seconds or 0.0
        elif entry.api == "bridge":
            seconds["bridged"] += entry.seconds or 0.0
        else:
            seconds["read"] += (entry.covered or 0.0) * elapsed_s
    return seconds
