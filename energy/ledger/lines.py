"""The format of the ledger, its hash chain included: JSON lines of raw counters, and their reader.

One process writes it (`energy.sampler`), one line at a time, so that a crash loses at most the line
in flight; a torn last line is dropped. A lost line loses no joule of a counter, which is
cumulative, and an interval of a device that is read by power.
Each line carries a hash over itself and the hash of the line before it.

Rows, by "k":
    header  a metering process started: boot id, host, machine and command line of the run, clocks,
            domains, where the run resumes
    s       sample: "m" monotonic ns, "j" joules in the order of the header's domains (null: could
            not be read, or is read by power), "a" microseconds since the counter reached them
            (null: not dated), "p" readings of power since the sample before: meter ->
            [[microseconds before "m", watts of each domain of that meter that is read by power, in
            order of the header], ...], "w" present watts of domains that have a counter, as a check
            on it (null: no check). In version 1 "j" was the sampler's own integral of power
    state   how devices are set and fare: "m", "devices": id -> limits, clocks, temperature, ...
    t       dated ticks around the edges of windows: "j" domain -> [[ns, joules], ...]
    attach  another process reads the meters: "m", "to": the id and the ledger of its run
    alive   an attached run with nothing else to write is alive: "m"
    clock   "m" and "utc" together, once a minute; "why" and "s" seconds if one of them jumped
    hung    a call of a driver did not return: "m", "meter", "s" seconds so far
    lost_sampler  another sampler replaces one that was lost: "m", "why": killed, stopped or hung
    gap     samples are late or the file was deleted: "m", "why", "s" seconds
    window  a named window closed: "m0", "m1", "name", "phase"
    mark    something that the run wants to remember: "m", "kind", "fields"
    end     metering ended: "m" and "why"
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from energy.errors import InputError, reason

Row = dict[str, Any]
"""A row of a ledger."""

FILE = "ledger.jsonl"

VERSION = 2

DAMAGE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What a damaged row raises when it is read."""

HASH_KEY, HASH_END = b',"h":"', b'"}\n'
"""What stands before and after the hash, which is the last value of a line."""

HASH_BYTES = 16
"""Hexadecimal digits of a hash, the first 64 bits of a SHA-256."""

MOST_ROW_BYTES = 1 << 26
"""Bytes of a row; what is longer is no row, and is passed over in pieces."""

TAIL_BYTES = 65536
"""How much of the end of a ledger is read to find its last rows."""

RAISED, TOKENS, FLOP, CHECKPOINT = "raised", "tokens", "flop", "checkpoint"
"""Kinds of marks: why a run ended before its time ("why"); tokens and model FLOP since the last one
("count"); the state of the run was saved."""

CLOSED = "closed"
"""Why metering ended where the run closed it, as the end row says."""

ROW_KIND = b'"k":'
"""What every row contains."""

SHOWN = 40
"""Characters of the first line of another file that an error message shows."""

READY, TAKEN = b"ready\n", b"taken\n"
"""A sampler's first word: it wrote its first sample, or another sampler writes this ledger."""

BEAT, ENDED, AGAIN, REFUSED, SLOW = b".", b"E", b"A", b"R", b"S"
"""Its later words: it is alive; it has written all rows; another is to be started in its place; the
disk refused its last rows, with the errno in digits; a reading takes long, with the seconds."""


OnBytes = Callable[[int], object]
"""What is called with the number of bytes that were read since the last call."""

NOTED_LINES = 4096
"""Lines that are read between two of these calls."""

_decode = json.JSONDecoder().raw_decode


def seal(row: Row, previous: str) -> tuple[bytes, str]:
    """Encode a row as a line that is chained to the one before it.

    Args:
        row: the row.
        previous: the hash of the line before it.

    Returns:
        The line and its hash.
    """
    body = json.dumps(row, separators=(",", ":")).encode()
    digest = _digest(body, previous.encode())
    return body[:-1] + HASH_KEY + digest + HASH_END, digest.decode()


def links(path: Path, on_bytes: OnBytes | None = None) -> Iterator[bool]:
    """Whether the hash of each whole line of a ledger follows from the line before it.

    The text is hashed as it was read: nothing is parsed.

    Args:
        path: of the ledger.
        on_bytes: as of `Lines`.
    """
    for _, follows in _chained(path, on_bytes):
        yield follows


def rows(path: Path) -> Iterator[tuple[Row, bool]]:
    """Each whole line of a ledger as a row, and whether its hash follows from the line before it.

    A line that is not a row has the kind "torn".
    """
    for line, follows in _chained(path):
        try:
            row = _parsed(line)
        except DAMAGE:
            yield {"k": "torn"}, False
            continue
        row.pop("h", "")
        yield row, follows


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
                # A power that was read holds until the sample itself.
                return int(row["m"] - 1000 * max((age or 0 for age in row.get("a", [])), default=0))
            if row["k"] == "t":
                return int(min(points[-1][0] for points in row["j"].values()))
    return 0


def is_finished(path: Path) -> bool:
    """Whether the last run in a ledger ended in order: it was not killed and did not raise."""
    closed = False
    for line in reversed(_tail(path)):
        with contextlib.suppress(*DAMAGE):
            row = json.loads(line)
            if row["k"] == "end":
                closed = row["why"] == CLOSED
            elif row["k"] == "header" and not row.get("continues"):
                return closed
            elif row["k"] == "mark" and row["kind"] == RAISED:
                return False
            if row["k"] in ("header", "window", "mark") and not closed:
                return False
    return closed


def node_file_name(run_id: str) -> str:
    """Name of the file in a run's folder with the samples that another run took for it."""
    return f"node-{run_id}.jsonl"


def require_own(path: Path) -> Path:
    """Check that a ledger, if there is one, is a file in its own folder.

    Whoever may write to a folder could make a link in it to any file of the user, which would then
    be appended to, or shown.

    Returns:
        The path without links.

    Raises:
        InputError: it is a link to another folder, or it is no file.
    """
    real = Path(os.path.realpath(path))
    if real.parent != Path(os.path.realpath(path.parent)):
        raise InputError(
            f"expected a ledger in its own folder at {path}",
            f"a link to {real}",
            "remove the link, or name the folder that it leads to",
        )
    if real.exists() and not real.is_file():
        raise InputError(f"expected a ledger at {path}", "no plain file", "choose another folder")
    return real


def require_ledger(path: Path) -> Path:
    """The ledger in a run folder, or the path itself if it is a ledger.

    Raises:
        InputError: there is none, it is a link to another folder, or it is not a ledger; one that
            is damaged, empty or cut off within its first line is one.
    """
    path = path / FILE if path.is_dir() else path
    require_own(path)
    ranks = any(path.parent.glob(f"rank-*/{FILE}"))
    fix = f"merge its ranks: energy merge {path.parent}" if ranks else "name a folder of a run"
    if not path.is_file():
        raise InputError(f"expected a ledger at {path}", "no such file", fix)
    try:
        with path.open("rb") as file:
            start = file.read(TAIL_BYTES)
    except OSError as error:
        raise InputError(f"expected a ledger at {path}", reason(error), fix) from error
    cut_off = start.startswith(b"{") and b"\n" not in start
    if start and ROW_KIND not in start and not cut_off:
        line = start.splitlines()[0].decode(errors="replace")
        shown = line if len(line) <= SHOWN else f"{line[:SHOWN]}..."
        raise InputError(
            f"expected a ledger at {path}",
            f"a file that begins with {shown!r}",
            "name a folder of a run, or its ledger.jsonl",
        )
    return path


class Lines:
    """The whole rows of a ledger that may still grow; each call of `new` continues.

    Args:
        path: of the ledger.
        on_bytes: called now and then with the number of bytes that were read since the last call.

    Attributes:
        count: lines so far.
        damaged: numbers, from 1, of the lines that were left out.
    """

    def __init__(self, path: Path, on_bytes: OnBytes | None = None) -> None:
        self.path, self._offset, self._on_bytes = path, 0, on_bytes
        self.count = 0
        self.damaged: list[int] = []

    def new(self) -> Iterator[Row]:
        """Rows since the last call.

        Raises:
            FileNotFoundError: there is no file any more.
            InputError: it cannot be read.
        """
        try:
            yield from self._new()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise InputError(f"expected to read {self.path}", reason(error)) from error

    def _new(self) -> Iterator[Row]:
        with self.path.open("rb") as file:
            file.seek(self._offset)
            for line in _noted(_rows(file), self._on_bytes):
                if not line.endswith(b"\n") and len(line) < MOST_ROW_BYTES:
                    break
                self._offset += len(line)
                self.count += 1
                try:
                    row = _parsed(line)
                except DAMAGE:
                    self.damaged.append(self.count)
                    continue
                yield row


def _rows(file: IO[bytes]) -> Iterator[bytes]:
    """The lines of a file, each at most as long as a row can be."""
    return iter(functools.partial(file.readline, MOST_ROW_BYTES), b"")


def _noted(lines: Iterable[bytes], on_bytes: OnBytes | None) -> Iterator[bytes]:
    """Lines, whose bytes are passed on, many at once."""
    if on_bytes is None:
        yield from lines
        return
    count = 0
    for number, line in enumerate(lines, start=1):
        count += len(line)
        if number % NOTED_LINES == 0:
            on_bytes(count)
            count = 0
        yield line
    on_bytes(count)


def _parsed(line: bytes) -> Row:
    """The row of a line; raises one of `DAMAGE` if it is not a row.

    The decoder's own function takes half the time of `json.loads`, which first looks for the
    encoding and for white space.
    """
    text = line.decode().removeprefix("\ufeff")
    row: Row
    row, end = _decode(text)
    if text[end:].strip():
        raise ValueError("more than one row")
    row["k"]
    return row


def _chained(path: Path, on_bytes: OnBytes | None = None) -> Iterator[tuple[bytes, bool]]:
    """Each whole line of a ledger, and whether its hash follows from the line before it.

    A damaged line loses its own link only: as long as its hash can be read, the chain continues.
    """
    previous = b""
    suffix = len(HASH_KEY) + HASH_BYTES + len(HASH_END)
    with path.open("rb") as file:
        for line in _noted(_rows(file), on_bytes):
            if not line.endswith(b"\n") and len(line) < MOST_ROW_BYTES:
                return
            digest = line[-len(HASH_END) - HASH_BYTES : -len(HASH_END)]
            sealed = line.endswith(HASH_END) and line.startswith(HASH_KEY, len(line) - suffix)
            yield line, sealed and digest == _digest(line[:-suffix] + b"}", previous)
            if sealed:
                previous = digest


def _digest(body: bytes, previous: bytes) -> bytes:
    """The hash of a line's text that is chained to the previous line's hash."""
    return hashlib.sha256(previous + body).hexdigest()[:HASH_BYTES].encode()


def _tail(path: Path) -> list[bytes]:
    """The last lines of a file; none if there is no file."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL_BYTES))
            return file.read().splitlines(keepends=True)
    except OSError:
        return []
