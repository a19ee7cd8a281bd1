"""The format of the ledger, its hash chain included: JSON lines of raw counters, and their reader.

One process writes it (`energy.sampler`), one line at a time, so that a crash loses at most the line
in flight; a torn last line is dropped. Counters are cumulative, so a lost line loses no energy.
Each line carries a hash over itself and the hash of the line before it.

Rows, by "k":
    header  a metering process started: boot id, host, clocks, domains, where the run resumes
    s       sample: "m" monotonic ns, "j" joules in the order of the header's domains (null: could
            not be read), "a" microseconds since the counter reached them (null: not dated)
    t       dated ticks around the edges of windows: "j" domain -> [[ns, joules], ...]
    attach  another process reads the meters: "m", "to": the id and the ledger of its run
    alive   an attached run with nothing else to write is alive: "m"
    clock   "m" and "utc" together, once a minute; "why" and "s" seconds if one of them jumped
    gap     samples are late or the file was deleted: "m", "why", "s" seconds
    window  a named window closed: "m0", "m1", "name", "phase"
    mark    something that the run wants to remember: "m", "kind", "fields"
    end     metering ended: "m" and "why"
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from energy.errors import InputError
from energy.ledger.segment import INCIDENTS, LOST, Row, Segment

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
"""Keys that a row must have to be read."""

DAMAGE = (ValueError, KeyError, TypeError, AttributeError)
"""What a damaged row raises when it is read."""

LIVE_SAMPLES = 7200
"""Samples that the reader of a run that is still going on keeps in memory."""

TAIL_BYTES = 65536
"""How much of the end of a ledger is read to find its last rows."""

READY, TAKEN = b"ready\n", b"taken\n"
"""A sampler's first word: it wrote its first sample, or another sampler writes this ledger."""


def seal(row: Row, previous: str) -> tuple[bytes, str]:
    """Encode a row as a line that is chained to the one before it.

    Args:
        row: the row.
        previous: the hash of the line before it.

    Returns:
        The line and its hash.
    """
    body = json.dumps(row, separators=(",", ":"))
    digest = _digest(body, previous)
    return f'{body[:-1]},"h":"{digest}"}}\n'.encode(), digest


def rows(path: Path) -> Iterator[tuple[Row, bool]]:
    """Each whole line of a ledger, and whether its hash follows from the line before it."""
    previous = ""
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            try:
                row = _parsed(line)
            except DAMAGE:
                yield {"k": "torn"}, False
                continue
            digest = row.pop("h", "")
            # A damaged line loses its own hash only: the chain continues after it.
            yield row, digest == _digest(json.dumps(row, separators=(",", ":")), previous)
            previous = digest


def last_hash(path: Path) -> str:
    """The hash of the last whole line; empty for a new ledger."""
    for line in reversed(_tail(path)):
        if line.endswith(b"\n"):
            with contextlib.suppress(*DAMAGE):
                return str(json.loads(line)["h"])
    return ""


def known_until(path: Path) -> int:
    """Monotonic ns up to which every counter is known from the rows at the end of a ledger."""
    for line in reversed(_tail(path)):
        with contextlib.suppress(*DAMAGE):
            row = json.loads(line)
            if row["k"] == "s":
                return int(row["m"] - 1000 * max((age or 0 for age in row.get("a", [])), default=0))
            if row["k"] == "t":
                return int(min(points[-1][0] for points in row["j"].values()))
    return 0


def segments(path: Path) -> list[Segment]:
    """The segments of a ledger that have samples."""
    return Reader(path).segments()


def node_file_name(run_id: str) -> str:
    """Name of the file in a run's folder with the samples that another run took for it."""
    return f"node-{run_id}.jsonl"


def require_ledger(path: Path) -> Path:
    """The ledger in a run folder, or the path itself if it is a ledger.

    Raises:
        InputError: there is no ledger.
    """
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        raise InputError(f"expected a ledger at {path}", "no such file", "name a folder of a run")
    return path


class Lines:
    """The whole rows of a ledger that may still grow; each call of `new` continues.

    Attributes:
        count: lines so far.
        damaged: numbers, from 1, of the lines that were left out.
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
                    row = _parsed(line)
                except DAMAGE:
                    self.damaged.append(self.count)
                    continue
                yield row


class BorrowedSamples:
    """The samples that one run took for another.

    Args:
        beside: the ledger of the run that borrows them.
        holder: id and ledger of the run that took them, from an "attach" row.
    """

    def __init__(self, beside: Path, holder: Row) -> None:
        link = beside.with_name(node_file_name(holder["id"]))
        self._lines = Lines(link if link.exists() else Path(holder["ledger"]))
        # A ledger may hold several runs, one after the other.
        self._id, self._in_run = holder["id"], False
        self._domains: list[Row] = []

    def add_to(self, segment: Segment) -> None:
        """Add what is new to the segment of the run that borrows."""
        with contextlib.suppress(OSError):
            for row in self._lines.new():
                with contextlib.suppress(*DAMAGE):
                    self._add(row, segment)

    def _add(self, row: Row, segment: Segment) -> None:
        kind = row["k"]
        if kind == "header":
            self._in_run = row.get("id") == self._id
            if self._in_run and row["domains"]:
                self._domains = row["domains"]
                segment.add_domains(self._domains)
        if not self._in_run:
            return
        if kind == "s":
            segment.add_sample(row, self._domains)
        elif kind == "t":
            segment.add_ticks(row)
        elif kind in INCIDENTS and "why" in row:
            segment.add_incident(row)


class Reader:
    """Reads a ledger that may still grow; each call of `segments` continues.

    Args:
        path: of the ledger.
        live: whether the run that writes it asks for its own energy while it is going on. Then
            windows and marks are left out, and all old samples but the first are forgotten.
    """

    def __init__(self, path: Path, live: bool = False) -> None:
        self._lines, self._live = Lines(path), live
        self._segments: list[Segment] = []
        self._borrowed: dict[tuple[int, str], BorrowedSamples] = {}

    @property
    def damaged(self) -> list[int]:
        """Numbers, from 1, of the lines that were left out."""
        return self._lines.damaged

    def segments(self) -> list[Segment]:
        """The segments that have samples; a restarted sampler continues its segment."""
        for row in self._lines.new():
            try:
                self._add(row)
            except DAMAGE:
                self._lines.damaged.append(self._lines.count)
        for number, segment in enumerate(self._segments):
            for holder in segment.holders:
                key = (number, holder["id"])
                if key not in self._borrowed:
                    self._borrowed[key] = BorrowedSamples(self._lines.path, holder)
                self._borrowed[key].add_to(segment)
            segment.set_times(self._live)
            if self._live and len(segment.times) > LIVE_SAMPLES:
                segment.forget(segment.times[-LIVE_SAMPLES // 2])
        return [segment for segment in self._segments if segment.times]

    def _add(self, row: Row) -> None:
        kind = row["k"]
        if kind == "header":
            if row.get("continues") and self._segments:
                self._segments[-1].resume(row)
            else:
                self._segments.append(Segment.from_header(row))
        if not self._segments:
            return
        segment = self._segments[-1]
        if missing := NEEDED.get(kind, set()) - row.keys():
            raise KeyError(*missing)
        # After its end a process samples only for the runs that are attached to it.
        if kind != "s" or segment.end == LOST:
            segment.add(row, live=self._live)


def _parsed(line: bytes) -> Row:
    """The row of a line; raises one of `DAMAGE` if it is not a row."""
    row: Row = json.loads(line)
    row["k"]
    return row


def _digest(body: str, previous: str) -> str:
    """The hash of a line's text that is chained to the previous line's hash."""
    return hashlib.sha256((previous + body).encode()).hexdigest()[:16]


def _tail(path: Path) -> list[bytes]:
    """The last lines of a file; none if there is no file."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL_BYTES))
            return file.read().splitlines(keepends=True)
    except OSError:
        return []
