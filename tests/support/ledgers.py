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


def old_domain(device: str = "gpu-0", method: str = "counter", **fields: Any) -> Row:
    """A board in the header of a ledger of version 1, without its limit and its meter."""
    own = domain(device, method, **fields)
    return {name: value for name, value in own.items() if name not in ("limit_w", "meter")}


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


def polled(second: float, watts: Sequence[tuple[float, float | None]]) -> Row:
    """A sample with the readings of the power of the only board: moments and watts."""
    polls = [[round((second - moment) * 1e6), power] for moment, power in watts]
    return {"k": "s", "m": ns(second), "j": [None], "p": {"nvml": polls}}


def steady(start: int, stop: int, watts: float = 300.0) -> list[Row]:
    """Samples once a second, with the power of one board read ten times a second before each."""
    before = [tenth / 10 for tenth in range(9, -1, -1)]
    rows = [polled(start, [(start, watts)])]
    for second in range(start + 1, stop + 1):
        rows.append(polled(second, [(second - seconds, watts) for seconds in before]))
    return rows


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
