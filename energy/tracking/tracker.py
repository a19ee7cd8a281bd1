"""The one object that a training loop sees: it opens the ledger, marks windows, reports joules.

    with Tracker(out, name="glam-mini") as tracker:
        with tracker.window("step"):
            ...
    record = tracker.record(tokens=..., model_flop=...)

Once it has started, nothing here raises into training: a meter that fails becomes a row and a note.
The metering itself runs in `energy.sampler`, a process of its own.
"""

from __future__ import annotations

import os
import platform
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from energy.errors import InputError
from energy.files import unwritable
from energy.ledger.lines import FILE
from energy.meters.visible import selection
from energy.sampler.seat import boot_id
from energy.tracking.supervisor import Supervisor
from energy.tracking.window import Window, as_line, window_fields, window_line

if TYPE_CHECKING:
    from energy.ledger.accounting import Snapshot
    from energy.ledger.reader import Reader
    from energy.record import RunRecord

TOO_EARLY = "windows and marks before the tracker was started were left out"

LONGEST_INTERVAL_S = 3600.0
"""More than this between two samples on disk is an error of the user."""


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
        InputError: a meter is unknown, or the interval is not above 0 or longer than an hour.
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
        if not 0 < interval_s <= LONGEST_INTERVAL_S:
            expectation = f"expected interval_s above 0 and at most {LONGEST_INTERVAL_S:g}"
            raise InputError(expectation, str(interval_s))
        # A record with another type in these places would be refused at the end of the run.
        self.out_dir, self.name = Path(out_dir), str(name)
        self.labels = {str(key): str(value) for key, value in (labels or {}).items()}
        self.path = self.out_dir / FILE
        self.notes: list[str] = []
        self._meters = _requested(meters)
        self._sync, self._interval_s = sync, interval_s
        self._resume_at = dict(resume_at) if resume_at else None
        self._id = ""
        self._supervisor: Supervisor | None = None
        self._opened_s = self._closed_s = 0.0
        self._reading = threading.Lock()
        self._reader: Reader | None = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed_s else "running" if self._opened_s else "not started"
        return f"<Tracker: {self.name} in {self.out_dir}, {state}>"

    def open(self) -> None:
        """Start metering; a tracker that was closed meters on in the same folder.

        Raises:
            InputError: the folder of the run cannot be written, or another run is metered there.
        """
        try:
            self.out_dir.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab"):
                pass
        except OSError as error:
            raise unwritable(self.path, error) from error
        if self._opened_s and not self._closed_s:
            return
        self._id, self._reader = uuid.uuid4().hex[:12], None
        self._opened_s, self._closed_s = time.monotonic(), 0.0
        supervisor = Supervisor(self.path, self._id, self._settings(), self.notes)
        if not supervisor.start():
            self._closed_s = time.monotonic()
            raise InputError(
                f"expected a folder of one run at {self.out_dir}",
                "another run is metering there",
                "give each run, and each rank, a folder of its own",
            )
        self._supervisor = supervisor
        # What a run has done before it was opened again is not repeated.
        self._resume_at = None
        weakref.finalize(self, supervisor.abandon).atexit = False

    def close(self) -> None:
        """Take the last sample and stop metering; safe to call twice."""
        if self._closed_s or self._supervisor is None:
            return
        if self._supervisor.is_owner:
            self._send({"k": "close"})
            self._supervisor.close()
        self._closed_s = time.monotonic()

    @property
    def sampler_pid(self) -> int | None:
        """Process id of the sampler; None if none could be started."""
        return self.sampler_pids[-1] if self.sampler_pids else None

    @property
    def sampler_pids(self) -> list[int]:
        """Process ids of the sampler and of those that it replaces; grows while the run goes on."""
        return [] if self._supervisor is None else self._supervisor.pids

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
        from energy.ledger.reader import Reader

        until_s = self._closed_s or time.monotonic()
        elapsed_s = until_s - self._opened_s if self._opened_s else 0.0
        with self._reading:
            self._reader = self._reader or Reader(self.path, live=True)
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

    def _settings(self) -> dict[str, Any]:
        """What the sampler needs to know; `header` becomes the header row of the ledger."""
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
                "resume_at": self._resume_at,
            },
            # Runs that read the same devices with the same meters and interval share one reader.
            "choice": [
                self._meters,
                self._interval_s,
                selection(),
                os.getcwd(),
            ],
        }

    def _window_closed(self, start_ns: int, stop_ns: int, fields: bytes) -> None:
        """Send the row of a window that has closed."""
        if self._supervisor is not None:
            self._supervisor.send(window_line, start_ns, stop_ns, fields)
        else:
            self._note(TOO_EARLY)

    def _send(self, row: dict[str, Any]) -> None:
        """Send any other row."""
        if self._supervisor is None:
            self._note(TOO_EARLY)
            return
        try:
            self._supervisor.send(lambda number: as_line({**row, "n": number}))
        except (TypeError, ValueError, RecursionError) as error:
            self._note(f"a row that JSON cannot encode was left out: {error}")

    def _note(self, text: str) -> None:
        """Add a note on something that went wrong, unless it is there already."""
        if text not in self.notes:
            self.notes.append(text)


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
