"""The one object that a training loop sees: it opens the ledger, marks windows, tells the joules.

    with Tracker(out, name="glam-mini") as tracker:
        with tracker.window("step"):
            ...
    record = tracker.record(tokens=..., model_flop=...)

Nothing here raises into training once it has started: a meter that fails is a row and a note. The
metering itself runs in `energy.sampler`, a process of its own.
"""

from __future__ import annotations

import collections
import contextlib
import fcntl
import json
import os
import platform
import select
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from energy.errors import InputError
from energy.files import unwritable
from energy.ledger import reader as ledger
from energy.sampler.seat import boot_id
from energy.tracking.window import Window, as_line, window_line, words

if TYPE_CHECKING:
    from energy.ledger.accounting import Snapshot
    from energy.record import RunRecord


READY_S = 5.0
"""Seconds to wait for the sampler's first reading before training goes on without it."""


KEPT = 1000
"""Rows kept in memory, to be sent again if the sampler is killed before it wrote them."""


PIPE_BYTES = 1 << 20
"""Room for some 8,000 rows between two looks of the sampler, where the kernel grants it."""


class Tracker:
    """Meters a run into `out_dir/ledger.jsonl`.

    Args:
        out_dir: folder of the run; an existing ledger there is continued.
        name: name of the run.
        labels: what the run wants to be found by.
        meters: "auto", or names of sources; "cpu_tree" is this process and all it starts.
        sync: called at both edges of every window, so that queued device work is inside it (for
            CUDA: torch.cuda.synchronize).
        interval_s: seconds between samples on disk.
        resume_at: where a continued run takes up again, as {"step": k}: what the ledger holds
            after the last mark with step k is wasted work.
    """

    def __init__(
        self,
        out_dir: str | Path,
        *,
        name: str = "run",
        labels: Mapping[str, str] | None = None,
        meters: str | list[str] = "auto",
        sync: Callable[[], object] | None = None,
        interval_s: float = 1.0,
        resume_at: Mapping[str, int] | None = None,
    ) -> None:
        self.out_dir, self.name, self.labels = Path(out_dir), name, dict(labels or {})
        self.path = self.out_dir / ledger.FILE
        self.notes: list[str] = []
        self._meters = (
            meters
            if isinstance(meters, str)
            else [f"{name}:{os.getpid()}" if name == "cpu_tree" else name for name in meters]
        )
        self._sync, self._interval_s = sync, interval_s
        self._resume_at = dict(resume_at) if resume_at else None
        self._lock = threading.Lock()
        self._sent: collections.deque[tuple[int, bytes]] = collections.deque(maxlen=KEPT)
        self._count, self._restarts = 0, 0
        self._id = uuid.uuid4().hex[:12]
        self._sampler: subprocess.Popen[bytes] | None = None
        self._opened_s = self._closed_s = 0.0
        self._reader = ledger.Reader(self.path, live=True)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Start metering.

        Raises:
            InputError: the folder of the run cannot be written, or another run is metered there.
        """
        try:
            self.out_dir.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab"):
                pass
        except OSError as error:
            raise unwritable(self.path, error) from error
        self._opened_s = time.monotonic()
        if self._start({"resume_at": self._resume_at}) == ledger.TAKEN:
            self._closed_s = time.monotonic()
            _retire(self._sampler)
            raise InputError(
                f"expected a folder of one run at {self.out_dir}",
                "another run is metering there",
                "give each run, and each rank, a folder of its own",
            )

    def close(self) -> None:
        """Take the last sample and stop metering; safe to call twice."""
        if self._closed_s:
            return
        self._send({"k": "close"})
        with self._lock:
            sampler = self._sampler
        self._closed_s = time.monotonic()
        _retire(sampler)
        if sampler is not None and sampler.returncode is None:
            self._note("the sampler stood still at the end: the time after its last row is missing")

    @property
    def sampler_pid(self) -> int | None:
        """Process id of the sampler; None where none could be started."""
        return None if self._sampler is None else self._sampler.pid

    def window(self, name: str, phase: str = "compute") -> Window:
        """Meter a piece of code; windows nest, overlap and may be used from any thread."""
        return Window(self._closed, self._sync, words(str(name), str(phase)))

    def mark(self, kind: str, **fields: Any) -> None:
        """Write a row that the run wants to remember: a step, a checkpoint, a restart.

        Fields may have any name. What is no JSON (a tensor of one number, an array's element) is
        written as a float where it is one, else as its text.
        """
        self._send({"k": "mark", "m": time.monotonic_ns(), "kind": kind, "fields": fields})

    def pause(self, seconds: float) -> None:
        """Let the sampler read nothing for so long, a second at most; counters go on."""
        self._send({"k": "pause", "until": time.monotonic_ns() + round(seconds * 1e9)})

    def snapshot(self) -> Snapshot:
        """Joules and watts up to now."""
        from energy.ledger import accounting

        elapsed_s = (self._closed_s or time.monotonic()) - self._opened_s
        with self._lock:
            try:
                found = self._reader.segments()
            except OSError as error:
                self._note(f"the ledger could not be read: {error}")
                found = []
            return accounting.snapshot(found, self._id, elapsed_s)

    def record(self, **fields: Any) -> RunRecord:
        """The measured RunRecord; see `energy.ledger.accounting.record` for the fields."""
        from energy.ledger import accounting

        fields.setdefault("name", self.name)
        notes = [*self.notes, *fields.pop("notes", [])]
        labels = {**self.labels, **fields.pop("labels", {})}
        return accounting.record(self.path, labels=labels, notes=notes, **fields)

    def _start(self, header: dict[str, Any]) -> bytes:
        """Start a sampler and wait for its first word; without one, note it and go on."""
        settings = {
            "ledger": str(self.path.resolve()),
            "meters": self._meters,
            "interval_s": self._interval_s,
            "header": {
                "id": self._id,
                "name": self.name,
                "labels": self.labels,
                "boot": boot_id(),
                "host": platform.node(),
                "pid": os.getpid(),
                "sync": _named(self._sync),
                **header,
            },
            # Who reads the same boards by the same meters as often needs no second reader.
            "choice": [
                self._meters,
                self._interval_s,
                os.environ.get("CUDA_VISIBLE_DEVICES"),
                os.getcwd(),
            ],
        }
        program = str(Path(__file__).resolve().parent.parent / "sampler" / "__main__.py")
        try:
            self._sampler = subprocess.Popen(
                [sys.executable, program, json.dumps(settings)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                bufsize=0,
            )
            word = self._first_word()
            if self._sampler.stdin is not None:
                os.set_blocking(self._sampler.stdin.fileno(), False)
                with contextlib.suppress(OSError):
                    fcntl.fcntl(self._sampler.stdin, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        except OSError as error:
            self._note(f"no sampler: {error}")
            return b""
        return word

    def _first_word(self) -> bytes:
        """What the sampler says when it has started; empty when it died or is late."""
        if self._sampler is None or self._sampler.stdout is None:
            return b""
        told, _, _ = select.select([self._sampler.stdout], [], [], READY_S)
        word = self._sampler.stdout.read(len(ledger.TAKEN)) if told else b""
        if not word:
            self._note("the sampler did not start: energy of this run is missing")
        return word or b""

    def _closed(self, start_ns: int, stop_ns: int, middle: bytes) -> None:
        """Send the row of a window that has closed."""
        with self._lock:
            self._count = count = self._count + 1
            self._write(count, window_line(start_ns, stop_ns, middle, count))

    def _send(self, row: dict[str, Any]) -> None:
        """Send any other row."""
        with self._lock:
            self._count = row["n"] = self._count + 1
            try:
                line = as_line(row)
            except (TypeError, ValueError, RecursionError) as error:
                self._note(f"a row that is no JSON was left out: {error}")
                return
            self._write(row["n"], line)

    def _write(self, count: int, line: bytes) -> None:
        """Pass a row to the sampler; start another if it was killed."""
        if len(line) > select.PIPE_BUF:
            self._note(f"a row of more than {select.PIPE_BUF} bytes was left out")
            return
        self._sent.append((count, line))
        sampler = self._sampler
        if sampler is None or sampler.stdin is None:
            return
        try:
            if sampler.stdin.write(line) is None:
                self._note("the sampler stood still: rows of windows and marks are missing")
        except (BrokenPipeError, ValueError):
            self._revive()

    def _note(self, words: str) -> None:
        """Remember a trouble once."""
        if words not in self.notes:
            self.notes.append(words)

    def _revive(self) -> None:
        """Start another sampler after the first was killed, and send what was not written."""
        self._restarts += 1
        if self._restarts > 100:
            return
        self._note("the sampler was killed and started again; counters are cumulative")
        written = self._written()
        _retire(self._sampler)
        self._start({"continues": True})
        if self._sampler is None or self._sampler.stdin is None:
            return
        with contextlib.suppress(OSError, ValueError):
            for count, line in self._sent:
                if count not in written:
                    self._sampler.stdin.write(line)

    def _written(self) -> set[int]:
        """Numbers of the rows of this tracker that are in the ledger; earlier runs count anew."""
        found, own = set(), False
        with contextlib.suppress(OSError):
            for row, _ in ledger.rows(self.path):
                if row["k"] == "header":
                    own = row.get("id") == self._id
                elif own and "n" in row:
                    found.add(row["n"])
        return found


def _named(sync: Callable[[], object] | None) -> str | None:
    """How a callback is called, for the ledger."""
    if sync is None:
        return None
    return f"{getattr(sync, '__module__', '')}.{getattr(sync, '__qualname__', type(sync).__name__)}"


def _retire(sampler: subprocess.Popen[bytes] | None) -> None:
    """Let a sampler finish, and close our ends of its pipes."""
    if sampler is None:
        return
    with contextlib.suppress(subprocess.TimeoutExpired, OSError):
        if sampler.stdin is not None:
            sampler.stdin.close()
        sampler.wait(timeout=2.0)
    if sampler.stdout is not None:
        sampler.stdout.close()
