"""The one object that a training loop sees: it opens the ledger, marks windows, reports joules.

    with Tracker("runs/mine", zone="FRA") as tracker:
        with tracker.window("step"):
            ...
        tracker.add_tokens(4096)

At the end of the block the folder contains record.json, also where the block raises. Once it has
started, nothing here raises into training: a meter that fails becomes a row and a note. The
metering itself runs in `energy.sampler`, a process of its own.
"""

from __future__ import annotations

import atexit
import logging
import sys
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from energy.errors import AccountingError, InputError
from energy.ledger.lines import FILE, FLOP, RAISED, TOKENS
from energy.tracking.facts import Facts
from energy.tracking.opening import (
    is_imported_again,
    prepare,
    qualified_name,
    requested,
    settings,
)
from energy.tracking.supervisor import Supervisor
from energy.tracking.window import Window, as_line, window_fields, window_line

if TYPE_CHECKING:
    from energy.facts.site import Site
    from energy.ledger.accounting import Snapshot
    from energy.ledger.reader import Reader
    from energy.quantity import Quantity
    from energy.record import RunRecord

logger = logging.getLogger("energy")

TOO_EARLY = "windows and marks before the tracker was started were left out"

LONGEST_INTERVAL_S = 3600.0
"""More than this between two samples on disk is an error of the user."""


class Tracker:
    """Meters a run into `out_dir/ledger.jsonl`.

    Args:
        out_dir: folder of the run. A ledger there of a run that was interrupted is continued; a
            folder with a finished run is refused, unless `resume_at` says where this one goes on.
        name: name of the run.
        labels: labels to select the run by later.
        meters: "auto", or names of sources (nvml, rapl, ...; see `energy doctor`); "cpu_tree" is
            this process and its descendants.
        sync: called at both edges of every window, so that queued device work is inside it (for
            CUDA: torch.cuda.synchronize).
        interval_s: seconds between samples on disk.
        resume_at: where a continued run resumes, as {"step": k}; what the ledger contains after the
            last mark with step k is wasted work. {} for a run that goes on where the ledger ends.
        zone: grid zone, for CO2; see `energy grid`. Without it, a band over all zones.
        pue: facility over IT energy; without it, a band is assumed.
        site: place, building, prices and water from `energy.site`, in place of `zone` and `pue`.
        tokens: tokens of the whole run, if it knows them before; else see `add_tokens`.
        params_total: parameters of the model.
        params_active: parameters that a token passes through.
        model_flop: FLOP of the whole run that its mathematics needs; see `energy.model_flop`.
        executed_flop: FLOP of the whole run that the hardware executes.
        chips: devices that the run occupies, for chip-seconds and their price.
        group: whether the user's group may read the files of the run; else only the user may.
        leave_record: whether the end of the `with` block, or of the decorated function, writes
            record.json; False for a caller that writes it with facts of its own.
        whole_node: for one rank that stands for all of its node: its record has the joules of the
            whole node, not of what it owns (`energy.ledger.owned`).

    Raises:
        InputError: a meter is unknown, the interval is not above 0 or longer than an hour, or a
            fact of the run is impossible.
        MissingDataError: there is no such zone.
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
        zone: str | None = None,
        pue: float | None = None,
        site: Site | None = None,
        tokens: Quantity | float | None = None,
        params_total: Quantity | float | None = None,
        params_active: Quantity | float | None = None,
        model_flop: Quantity | float | None = None,
        executed_flop: Quantity | float | None = None,
        chips: int = 1,
        group: bool = False,
        leave_record: bool = True,
        whole_node: bool = False,
    ) -> None:
        if not 0 < interval_s <= LONGEST_INTERVAL_S:
            expectation = f"expected interval_s above 0 and at most {LONGEST_INTERVAL_S:g}"
            raise InputError(expectation, str(interval_s))
        # A record with another type in these places would be refused at the end of the run.
        self.out_dir, self.name = Path(out_dir), str(name)
        self.labels = {str(key): str(value) for key, value in (labels or {}).items()}
        self.path = self.out_dir / FILE
        self.notes: list[str] = []
        self._meters = requested(meters)
        self._sync, self._interval_s = sync, interval_s
        self._resume_at = None if resume_at is None else dict(resume_at)
        counts = {
            "tokens": tokens,
            "params_total": params_total,
            "params_active": params_active,
            "model_flop": model_flop,
            "executed_flop": executed_flop,
        }
        stated = {name: value for name, value in counts.items() if value is not None}
        self._facts = Facts(zone=zone, pue=pue, site=site, chips=chips, counts=stated)
        self.group, self._leave_record, self._whole_node = group, leave_record, whole_node
        self._id = ""
        self._supervisor: Supervisor | None = None
        self._opened_s = self._closed_s = 0.0
        self._reading = threading.Lock()
        self._reader: Reader | None = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.stop(error)

    def __repr__(self) -> str:
        state = "closed" if self._closed_s else "running" if self._opened_s else "not started"
        return f"<Tracker: {self.name} in {self.out_dir}, {state}>"

    def start(self) -> Self:
        """Start metering; `stop` ends it, or else the end of the program does.

        Raises:
            InputError: as `open`.
        """
        self.open()
        atexit.register(self._stop_with_program)
        return self

    def stop(self, error: BaseException | None = None) -> RunRecord | None:
        """Stop metering and write record.json; raises nothing itself.

        Args:
            error: what ended the run before its time, if anything did; the record says so.

        Returns:
            The record; None if it could not be written, which a warning says, or if this process
            does not meter the run.
        """
        atexit.unregister(self._stop_with_program)
        is_ours = self.is_running and self._supervisor is not None and self._supervisor.is_owner
        regular = isinstance(error, SystemExit) and not error.code
        cut_short = error is not None and not regular and not isinstance(error, GeneratorExit)
        self.close(f"the run ended with {type(error).__name__}" if cut_short else None)
        return self.save() if is_ours and self._leave_record else None

    def save(self, **fields: Any) -> RunRecord | None:
        """Write record.json with these fields, as of `record`; raises nothing itself.

        Returns:
            The record; None if it could not be written, which a warning says.
        """
        try:
            record = self.record(**fields)
            record.save(self.out_dir / "record.json", group=self.group)
        except (AccountingError, OSError) as problem:
            logger.warning("no record of this run: %s", problem)
            return None
        return record

    def open(self) -> None:
        """Start metering without a record at the end; a tracker that was closed meters on.

        Where multiprocessing imports the script again in a new process, nothing is started: the run
        is metered by the process that began it.

        Raises:
            InputError: the folder of the run cannot be written, contains a finished run, or another
                run is metered there.
        """
        if self.is_running or is_imported_again():
            return
        path = prepare(self.out_dir, group=self.group, goes_on=self._resume_at is not None)
        self._id, self._reader = uuid.uuid4().hex[:12], None
        self._opened_s, self._closed_s = time.monotonic(), 0.0
        supervisor = Supervisor(path, self._id, self._settings(path), self.notes)
        if not supervisor.start():
            self._closed_s = time.monotonic()
            raise InputError(
                f"expected a folder of one run at {self.out_dir}",
                "another run is metering there",
                "give each run, and each rank, a folder of its own",
            )
        self._supervisor = supervisor
        # What a run has done before it was opened again is not repeated.
        self._resume_at = {}
        weakref.finalize(self, supervisor.abandon).atexit = False

    def close(self, raised: str | None = None) -> None:
        """Take the last sample and stop metering, without a record; safe to call twice.

        Args:
            raised: why the run ended before its time, if it did. It becomes a note of the record,
                and a later run may continue the ledger.
        """
        if not self.is_running or self._supervisor is None:
            return
        if self._supervisor.is_owner:
            if raised is not None:
                self.mark(RAISED, why=raised)
            self._send({"k": "close"})
            self._supervisor.close()
        self._closed_s = time.monotonic()

    @property
    def is_running(self) -> bool:
        """Whether the run is metered now."""
        return bool(self._opened_s) and not self._closed_s

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

    def add_tokens(self, count: float) -> None:
        """Count tokens that this process has processed, as a mark; what is repeated counts once.

        The record has their sum, also if the run is killed and the record is made from the ledger,
        and that of a job has those of all ranks.
        """
        self.mark(TOKENS, count=count)

    def add_flop(self, count: float) -> None:
        """Count model FLOP that this process has done, as `add_tokens` does tokens."""
        self.mark(FLOP, count=count)

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
        """The measured RunRecord at the place of the run.

        Args:
            fields: as of `energy.ledger.accounting.record`; they go before those of the tracker.

        Raises:
            MissingDataError: the ledger has no sample.
            InputError: a field is unknown, or its value is impossible.
        """
        from energy.ledger import accounting

        notes = [*self.notes, *fields.pop("notes", [])]
        labels = {**self.labels, **fields.pop("labels", {})}
        own = {"name": self.name, "chips": self._facts.chips, **self._facts.counts}
        record = accounting.record(self.path, labels=labels, notes=notes, **{**own, **fields})
        return self._facts.located(record)

    def _stop_with_program(self) -> None:
        """Leave the record of a run that was started and never stopped."""
        self.stop(getattr(sys, "last_value", None))

    def _settings(self, path: Path) -> dict[str, Any]:
        """What the sampler needs to know."""
        run = {
            "id": self._id,
            "name": self.name,
            "labels": self.labels,
            "sync": qualified_name(self._sync),
            "resume_at": self._resume_at,
            "whole_node": self._whole_node,
        }
        return settings(path, run, self._meters, self._interval_s, self._opened_s)

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
