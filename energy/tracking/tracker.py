"""The one object that a training loop sees: it opens the ledger, marks windows, reports joules.

    with Tracker(out, name="glam-mini") as tracker:
        with tracker.window("step"):
            ...
    record = tracker.record(tokens=..., model_flop=...)

Once it has started, nothing here raises into training: a meter that fails becomes a row and a note.
The metering itself runs in `energy.sampler`, a process of its own.
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
from energy.meters.visible import selection
from energy.sampler.seat import boot_id
from energy.tracking.window import Window, as_line, window_fields, window_line

if TYPE_CHECKING:
    from energy.ledger.accounting import Snapshot
    from energy.record import RunRecord

SAMPLER = Path(__file__).resolve().parent.parent / "sampler" / "__main__.py"
"""The program of the sampler, which is started by path."""

READY_S = 5.0
"""Seconds to wait for the sampler's first reading before training goes on without it."""

KEPT_ROWS = 1000
"""Rows kept in memory, to be sent again if the sampler is killed before it has written them."""

PIPE_BYTES = 1 << 20
"""Room for some 8,000 rows between two reads of the sampler, if the kernel grants it."""

MAX_RESTARTS = 100
"""Restarts of the sampler after which the tracker gives up."""


class Tracker:
    """Meters a run into `out_dir/ledger.jsonl`.

    Args:
        out_dir: folder of the run; an existing ledger there is continued.
        name: name of the run.
        labels: labels to select the run by later.
        meters: "auto", or names of sources (nvml, rapl, ...; see `energy doctor`); "cpu_tree" is
            this process and its descendants.
        sync: called at both edges of every window, so that queued device work is inside it (for
            CUDA: torch.cuda.synchronize).
        interval_s: seconds between samples on disk.
        resume_at: where a continued run resumes, as {"step": k}; what the ledger contains after the
            last mark with step k is wasted work.

    Raises:
        InputError: a meter is unknown, or the interval is not above 0.
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
        if not interval_s > 0:
            raise InputError("expected interval_s above 0", str(interval_s))
        # A record with another type in these places would be refused at the end of the run.
        self.out_dir, self.name = Path(out_dir), str(name)
        self.labels = {str(key): str(value) for key, value in (labels or {}).items()}
        self.path = self.out_dir / ledger.FILE
        self.notes: list[str] = []
        self._meters = _requested(meters)
        self._sync, self._interval_s = sync, interval_s
        self._resume_at = dict(resume_at) if resume_at else None
        self._lock = threading.Lock()
        self._sent: collections.deque[tuple[int, bytes]] = collections.deque(maxlen=KEPT_ROWS)
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

    def __repr__(self) -> str:
        state = "closed" if self._closed_s else "running" if self._opened_s else "not started"
        return f"<Tracker: {self.name} in {self.out_dir}, {state}>"

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
            self._note("the sampler did not respond at the end: no data after its last row")

    @property
    def sampler_pid(self) -> int | None:
        """Process id of the sampler; None if none could be started."""
        return None if self._sampler is None else self._sampler.pid

    def window(self, name: str, phase: str = "compute") -> Window:
        """Meter a piece of code; windows may nest, overlap and be used from any thread."""
        return Window(self._window_closed, self._sync, window_fields(str(name), str(phase)))

    def mark(self, kind: str, **fields: Any) -> None:
        """Write a row that the run wants to remember: a step, a checkpoint, a restart.

        Fields may have any name. A value that JSON cannot encode (a tensor with one element, an
        element of an array) is written as a float if it can be one, else as text.
        """
        self._send({"k": "mark", "m": time.monotonic_ns(), "kind": kind, "fields": fields})

    def pause(self, seconds: float) -> None:
        """Let the sampler read nothing for up to a second; counters go on."""
        self._send({"k": "pause", "until": time.monotonic_ns() + round(seconds * 1e9)})

    def snapshot(self) -> Snapshot:
        """Joules and watts up to now."""
        from energy.ledger import accounting

        elapsed_s = (self._closed_s or time.monotonic()) - self._opened_s
        with self._lock:
            try:
                segments = self._reader.segments()
            except OSError as error:
                self._note(f"the ledger could not be read: {error}")
                segments = []
            return accounting.snapshot(segments, self._id, elapsed_s)

    def record(self, **fields: Any) -> RunRecord:
        """The measured RunRecord; `energy.ledger.accounting.record` lists the fields."""
        from energy.ledger import accounting

        fields.setdefault("name", self.name)
        notes = [*self.notes, *fields.pop("notes", [])]
        labels = {**self.labels, **fields.pop("labels", {})}
        return accounting.record(self.path, labels=labels, notes=notes, **fields)

    def _start(self, header: dict[str, Any]) -> bytes:
        """Start a sampler and return its first word; empty, with a note, if it does not start."""
        try:
            self._sampler = subprocess.Popen(
                [sys.executable, str(SAMPLER), json.dumps(self._settings(header))],
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

    def _settings(self, header: dict[str, Any]) -> dict[str, Any]:
        """What the sampler needs to know; `header` is added to the header row of the ledger."""
        from energy.ledger.job import job

        return {
            "ledger": str(self.path.resolve()),
            "meters": self._meters,
            "interval_s": self._interval_s,
            "start_s": self._opened_s,
            "header": {
                "id": self._id,
                "name": self.name,
                "labels": self.labels,
                "boot": boot_id(),
                "host": platform.node(),
                "pid": os.getpid(),
                "sync": _qualified_name(self._sync),
                "job": job().as_dict(),
                **header,
            },
            # Runs that read the same devices with the same meters and interval share one reader.
            "choice": [
                self._meters,
                self._interval_s,
                selection(),
                os.getcwd(),
            ],
        }

    def _first_word(self) -> bytes:
        """The word that the sampler sends when it has started; empty if it died or is late."""
        if self._sampler is None or self._sampler.stdout is None:
            return b""
        ready, _, _ = select.select([self._sampler.stdout], [], [], READY_S)
        word = self._sampler.stdout.read(len(ledger.TAKEN)) if ready else b""
        if not word:
            self._note("the sampler did not start: energy of this run is missing")
        return word or b""

    def _window_closed(self, start_ns: int, stop_ns: int, fields: bytes) -> None:
        """Send the row of a window that has closed."""
        with self._lock:
            self._count = count = self._count + 1
            self._write(count, window_line(start_ns, stop_ns, fields, count))

    def _send(self, row: dict[str, Any]) -> None:
        """Send any other row."""
        with self._lock:
            self._count = row["n"] = self._count + 1
            try:
                line = as_line(row)
            except (TypeError, ValueError, RecursionError) as error:
                self._note(f"a row that JSON cannot encode was left out: {error}")
                return
            self._write(row["n"], line)

    def _write(self, count: int, line: bytes) -> None:
        """Pass a row to the sampler; start another sampler if it was killed."""
        if len(line) > select.PIPE_BUF:
            self._note(f"a row of more than {select.PIPE_BUF} bytes was left out")
            return
        self._sent.append((count, line))
        sampler = self._sampler
        if sampler is None or sampler.stdin is None:
            if not self._opened_s:
                self._note("windows and marks before the tracker was started were left out")
            return
        try:
            if sampler.stdin.write(line) is None:
                self._note("the sampler did not respond: rows of windows and marks are missing")
        except (BrokenPipeError, ValueError):
            self._restart()

    def _note(self, text: str) -> None:
        """Add a note on something that went wrong, unless it is there already."""
        if text not in self.notes:
            self.notes.append(text)

    def _restart(self) -> None:
        """Start another sampler after the first was killed, and send what was not written."""
        self._restarts += 1
        if self._restarts > MAX_RESTARTS:
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
        """Numbers of this tracker's rows in the ledger; each tracker of a run counts from 1."""
        numbers, own = set(), False
        with contextlib.suppress(OSError):
            for row, _ in ledger.rows(self.path):
                if row["k"] == "header":
                    own = row.get("id") == self._id
                elif own and "n" in row:
                    numbers.add(row["n"])
        return numbers


def _requested(meters: str | list[str]) -> str | list[str]:
    """The meters as the sampler needs them: "auto", or a list of names that all exist."""
    if meters == "auto":
        return "auto"
    from energy.meters import sources

    names = [meters] if isinstance(meters, str) else meters
    sources.require(names)
    return [f"{name}:{os.getpid()}" if name == "cpu_tree" else name for name in names]


def _qualified_name(sync: Callable[[], object] | None) -> str | None:
    """Module and name of a callback, for the ledger."""
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
