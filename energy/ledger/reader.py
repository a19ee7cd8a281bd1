"""The ledger of a run: append-only JSON lines of raw cumulative counters, and what they say.

One process writes it (`energy.sampler`), one line a write, so that a crash loses at most the line
in flight; a torn last line is dropped. Counters are cumulative, so a lost line loses no energy.
Each line carries a hash over the line before it.

Rows, by "k":
    header  a metering process began: boot id, host, clocks, domains, what it resumes
    s       sample: "m" monotonic ns, "j" joules in the order of the header's domains (null: could
            not be read), "a" microseconds since the counter stepped to them (null: not dated)
    t       dated steps around the edges of windows: "j" domain -> [[ns, joules], ...]
    attach  another process reads the meters: "m", "to": its run's id and its ledger
    alive   an attached run that has nothing to say lives: "m"
    clock   "m" and "utc" together, each minute; "why" when one of them jumped, and by how much
    gap     samples are late or the file was gone: "m", "why", "s" seconds
    window  a named window closed: "m0", "m1", "name", "phase"
    mark    something the run wants to remember: "m", "kind", "fields"
    end     metering ended: "m" and why
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from energy.errors import InputError
from energy.ledger import reader as ledger
from energy.ledger.segment import Row, Segment

FILE = "ledger.jsonl"


VERSION = 1


NEEDED = {
    "s": {"m", "j"},
    "t": {"j"},
    "window": {"m0", "m1", "name", "phase"},
    "mark": {"m"},
    "attach": {"m", "to"},
    "end": {"m", "why"},
}
"""What rows must hold to be taken up."""


DAMAGE = (ValueError, KeyError, TypeError, AttributeError)
"""What a damaged row raises when it is taken up."""


JUMPS = ("clock", "gap")
"""Rows that, with a cause, go into the notes of a record."""


LIVE = 7200
"""Samples that a reader of a run that goes on may keep."""


READY, TAKEN = b"ready\n", b"taken\n"
"""What a sampler says once: it wrote its first sample, or another sampler writes this ledger."""


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
                row["k"]
            except DAMAGE:
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
    for line in reversed(_tail(path)):
        if line.endswith(b"\n"):
            try:
                return str(json.loads(line)["h"])
            except DAMAGE:
                continue
    return ""


class Lines:
    """The whole rows of a ledger that may still grow; each call takes up what is new.

    Attributes:
        count: lines so far.
        damaged: numbers of those that were left out, from 1.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._offset = path, 0
        self.count = 0
        self.damaged: list[int] = []

    def new(self) -> Iterator[Row]:
        """Rows since the last call."""
        with self.path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._offset += len(line)
                self.count += 1
                try:
                    row = json.loads(line)
                    row["k"]
                except DAMAGE:
                    self.damaged.append(self.count)
                    continue
                yield row


class Lent:
    """The samples of a run that reads the meters for another one.

    Args:
        beside: the ledger of the run that they are lent to.
        holder: the run that took them and its ledger, as an attached run names it.
    """

    def __init__(self, beside: Path, holder: Row) -> None:
        link = beside.with_name(node_file_name(holder["id"]))
        self._lines = Lines(link if link.exists() else Path(holder["ledger"]))
        self._id, self._own = holder["id"], False
        self._domains: list[Row] = []

    def give(self, segment: Segment) -> None:
        """Hand what is new to the segment of the other run."""
        with contextlib.suppress(OSError):
            for row in self._lines.new():
                with contextlib.suppress(*DAMAGE):
                    self._give(row, segment)

    def _give(self, row: Row, segment: Segment) -> None:
        kind = row["k"]
        if kind == "header":
            self._own = row.get("id") == self._id
            if self._own and row["domains"]:
                self._domains = row["domains"]
                segment.knows(self._domains)
        elif self._own and kind == "s":
            segment.sampled(row, self._domains)
        elif self._own and kind == "t":
            segment.stepped(row)
        elif self._own and "why" in row and kind in JUMPS and segment.reaches(row["m"] / 1e9):
            segment.jumps.append(row)


class Reader:
    """Reads a ledger that may still grow; each call of `segments` takes up what is new.

    Args:
        path: of the ledger.
        live: whether the run that writes it is going on, and wants to know what it has spent: then
            windows and marks are left out, and old samples but the first are forgotten.
    """

    def __init__(self, path: Path, live: bool = False) -> None:
        self._lines, self._live = Lines(path), live
        self._found: list[Segment] = []
        self._lent: dict[tuple[int, str], Lent] = {}

    def segments(self) -> list[Segment]:
        """The segments that hold samples; a restarted sampler continues the one that it found."""
        for row in self._lines.new():
            try:
                self._take(row)
            except DAMAGE:
                self._lines.damaged.append(self._lines.count)
        for number, segment in enumerate(self._found):
            for holder in segment.holders:
                key = (number, holder["id"])
                if key not in self._lent:
                    self._lent[key] = Lent(self._lines.path, holder)
                self._lent[key].give(segment)
            segment.settled(self._live)
            if self._live and len(segment.times) > LIVE:
                segment.forget(segment.times[-LIVE // 2])
        return [segment for segment in self._found if segment.times]

    @property
    def damaged(self) -> list[int]:
        """Numbers of the lines that were left out, from 1."""
        return self._lines.damaged

    def _take(self, row: Row) -> None:
        kind = row["k"]
        if kind == "header":
            if row.get("continues") and self._found:
                self._found[-1].continued(row)
            else:
                self._found.append(Segment.opened(row))
        if not self._found:
            return
        now = self._found[-1]
        if missing := NEEDED.get(kind, set()) - row.keys():
            raise KeyError(*missing)
        if kind == "s":
            # After its end a process reads for those that are attached to it.
            if now.end == "lost":
                now.sampled(row)
        elif kind == "t":
            now.stepped(row)
        elif kind == "window":
            if not self._live:
                now.windows.append(window(row))
        elif kind == "mark":
            if not self._live:
                now.marks.append(row)
        elif kind in JUMPS and "why" in row:
            now.jumps.append(row)
        elif kind == "attach":
            now.holders.append(row["to"])
        elif kind == "end":
            now.end = row["why"]
        if kind != "s" or now.end == "lost":
            now.told(row)


def window(row: Row) -> Row:
    """The row of a window as it is kept: a run has millions, and few names."""
    return {
        "m0": row["m0"],
        "m1": row["m1"],
        "name": sys.intern(str(row["name"])),
        "phase": sys.intern(str(row["phase"])),
        "n": row.get("n"),
    }


def segments(path: Path) -> list[Segment]:
    """The segments of a ledger."""
    return Reader(path).segments()


def node_file_name(run_id: str) -> str:
    """Name of the file in a run's folder that holds the samples another run took for it."""
    return f"node-{run_id}.jsonl"


def known_until(path: Path) -> int:
    """Monotonic ns up to which the samples at the end of a ledger tell of every counter."""
    for line in reversed(_tail(path)):
        with contextlib.suppress(*DAMAGE):
            row = json.loads(line)
            if row["k"] == "s":
                return int(row["m"] - 1000 * max((age or 0 for age in row.get("a", [])), default=0))
            if row["k"] == "t":
                return int(min(points[-1][0] for points in row["j"].values()))
    return 0


def _tail(path: Path) -> list[bytes]:
    """The last lines of a file; none where there is no file."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - 65536))
            return file.read().splitlines(keepends=True)
    except OSError:
        return []


def require_ledger(path: Path) -> Path:
    """The ledger of a run folder, or InputError."""
    path = path / ledger.FILE if path.is_dir() else path
    if not path.is_file():
        raise InputError(f"expected a ledger at {path}", "no such file", "name a folder of a run")
    return path
