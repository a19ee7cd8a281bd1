"""The ledger of a run: append-only JSON lines of raw cumulative counters, and what they say.

One process writes it (`energy.sampler`), one line a write, so that a crash loses at most the line
in flight; a torn last line is dropped. Counters are cumulative, so a lost line loses no energy.
Each line carries a hash over the line before it.

Rows, by "k":
    header  a metering process began: boot id, host, clocks, domains, what it resumes
    s       sample: "m" monotonic ns, "j" joules by domain (null: could not be read)
    window  a named window closed: "m0", "m1", "name", "phase"
    mark    something the run wants to remember: "m", "kind", and its fields
    end     metering ended: "m" and why
"""

from __future__ import annotations

import bisect
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = "ledger.jsonl"
VERSION = 1

Row = dict[str, Any]


def seal(row: Row, previous: str) -> tuple[bytes, str]:
    """A row as a line, chained to the one before it; returns the line and its hash."""
    body = json.dumps(row, separators=(",", ":"))
    digest = hashlib.sha256((previous + body).encode()).hexdigest()[:16]
    return f'{body[:-1]},"h":"{digest}"}}\n'.encode(), digest


def rows(path: Path) -> Iterator[tuple[Row, bool]]:
    """Each whole line of a ledger, and whether its hash follows from the line before it."""
    previous = ""
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            try:
                row = json.loads(line)
            except ValueError:
                yield {"k": "torn"}, False
                continue
            digest = row.pop("h", "")
            body = json.dumps(row, separators=(",", ":"))
            expected = hashlib.sha256((previous + body).encode()).hexdigest()[:16]
            # A torn line loses its own hash, so the chain is taken up again behind it.
            yield row, digest == expected
            previous = digest


def last_hash(path: Path) -> str:
    """The hash of the last whole line; empty for a new ledger."""
    try:
        tail = path.read_bytes()[-65536:].splitlines(keepends=True)
    except FileNotFoundError:
        return ""
    for line in reversed(tail):
        if line.endswith(b"\n"):
            try:
                return str(json.loads(line)["h"])
            except (ValueError, KeyError):
                continue
    return ""


@dataclass
class Segment:
    """What one metering process wrote, from its header to its end or its death.

    Attributes:
        header: the row that opened it.
        times: monotonic seconds of the samples.
        joules: cumulative joules of each domain at those times; None where unreadable.
        windows: rows of closed windows.
        marks: rows of marks.
        end: why it ended; "lost" when it was killed.
    """

    header: Row
    times: list[float] = field(default_factory=list)
    joules: dict[str, list[float | None]] = field(default_factory=dict)
    windows: list[Row] = field(default_factory=list)
    marks: list[Row] = field(default_factory=list)
    end: str = "lost"
    _raw: dict[str, float] = field(default_factory=dict, repr=False)
    _base: dict[str, float] = field(default_factory=dict, repr=False)

    def unwrapped(self, domain: str, raw: float | None) -> float | None:
        """A raw counter without its jumps back: a turn of the counter, or a reset to zero."""
        if raw is None:
            return None
        last = self._raw.get(domain, raw)
        if raw < last:
            wrap_j = next(d["wrap_j"] for d in self.header["domains"] if d["id"] == domain)
            self._base[domain] = self._base.get(domain, 0.0) + (wrap_j or last)
        self._raw[domain] = raw
        return raw + self._base.get(domain, 0.0)

    @property
    def start_s(self) -> float:
        """Monotonic time of its first sample."""
        return self.times[0]

    @property
    def stop_s(self) -> float:
        """Monotonic time of its last sample."""
        return self.times[-1]

    def at(self, domain: str, time_s: float) -> float | None:
        """Cumulative joules at a moment, interpolated between the readable samples around it."""
        known = [(t, j) for t, j in zip(self.times, self.joules[domain], strict=True)
                 if j is not None]  # fmt: skip
        if not known:
            return None
        i = bisect.bisect_left(known, time_s, key=lambda pair: pair[0])
        if i == 0:
            return known[0][1]
        if i == len(known):
            return known[-1][1]
        (t0, j0), (t1, j1) = known[i - 1], known[i]
        return j0 + (j1 - j0) * (time_s - t0) / (t1 - t0)

    def between(self, domain: str, start_s: float, stop_s: float) -> float | None:
        """Joules of a domain between two moments; None where it was never read."""
        first, last = self.at(domain, start_s), self.at(domain, stop_s)
        return None if first is None or last is None else last - first


def segments(path: Path) -> list[Segment]:
    """The segments of a ledger; a restarted sampler continues the segment that it found."""
    found: list[Segment] = []
    for row, _ in rows(path):
        kind = row["k"]
        if kind == "header" and not (row.get("continues") and found):
            found.append(Segment(row, joules={d["id"]: [] for d in row["domains"]}))
        if not found:
            continue
        now = found[-1]
        if kind == "s":
            now.times.append(row["m"] / 1e9)
            for domain, values in now.joules.items():
                values.append(now.unwrapped(domain, row["j"].get(domain)))
        elif kind == "window":
            now.windows.append(row)
        elif kind == "mark":
            now.marks.append(row)
        elif kind == "end":
            now.end = row["why"]
    return [segment for segment in found if segment.times]
