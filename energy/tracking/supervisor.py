"""Keeps a sampler running: a thread starts another one when it was killed, is stopped or hangs.

Nothing here raises into training, or makes it wait. Rows that were sent while no sampler ran, and
rows that a lost sampler had not written, are sent to the next one.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from energy.outside import attempt
from energy.tracking.process import EXIT_S, START_S, SamplerProcess
from energy.tracking.sent import SentRows

READY_S = 5.0
"""Seconds to wait for the sampler's first reading before training goes on without it."""

CLOSE_S = 2.5
"""The longest that the end of a run waits for the last sample, a restart included.

For a sampler that has not started yet it waits until that may count as lost (`START_S`): on a
machine with twenty times more work than processors, a short run would otherwise have no record.
"""

CATCH_UP_S, FULL_S = 5.0, 0.01
"""Seconds in which rows are sent again, and between two attempts at a full pipe."""

HEALTHY_S = 10.0
"""A sampler that has run for so long was not lost by a fault of its own."""

AT_ONCE, MOST_PAUSE_S = 10, 60.0
"""Restarts in a row without a pause, and the longest pause between later ones."""

MAX_RESTARTS = 100
"""Restarts in a row after which there is no further one."""


class Supervisor:
    """The sampler of one run.

    Args:
        path: the ledger.
        run_id: id of the run.
        settings: what a sampler needs to know; `header` is part of it.
        notes: where a note is added on what goes wrong.

    Attributes:
        pids: process ids of all samplers so far.
        is_owner: whether this process has started the sampler; a forked child has not.
    """

    def __init__(self, path: Path, run_id: str, settings: dict[str, Any], notes: list[str]) -> None:
        self._settings, self._notes = settings, notes
        self._rows = SentRows(path, run_id)
        self._lock = threading.Lock()
        self._count = self._newest = self._passed = 0
        self._written: set[int] = set()
        self._process: SamplerProcess | None = None
        self._lost: dict[str, Any] | None = None
        self._is_up = self._gave_up = False
        self._in_a_row, self._earlier, self._started_s = 0, 0, 0.0
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self.pids: list[int] = []
        self.is_owner = True
        _SUPERVISORS.add(self)

    def start(self) -> bool:
        """Start the first sampler; False if another one writes this ledger."""
        process = self._process = self._start(self._settings)
        if process is not None and process.is_taken:
            process.kill()
            self._process = None
            return False
        if process is None or not process.started:
            self._note("the sampler was late: nothing is known of the time before its first sample")
        self._is_up = True
        with contextlib.suppress(RuntimeError):  # this process cannot have any more threads
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()
        return True

    def send(self, line_of: Callable[..., bytes], *arguments: Any) -> None:
        """Send a row, which `line_of` makes from the arguments and its number."""
        with self._lock:
            self._count = number = self._count + 1
            line = line_of(*arguments, number)
            if len(line) > select.PIPE_BUF:
                self._note(f"a row of more than {select.PIPE_BUF} bytes was left out")
                return
            waits = self._newest != self._passed
            self._newest = number
            if not self._rows.add(number, line, self._passed):
                self._note("the sampler did not respond: rows of windows and marks are missing")
            if waits or not self._is_up:
                self._pass_on()
                return
            try:
                if self._process is not None and self._process.write(line):
                    self._passed = number
            except (OSError, ValueError):
                self._is_up = False  # the thread starts another sampler, and sends this row again

    def close(self) -> None:
        """Wait until the sampler has written all rows, but not too long."""
        self._closing.set()
        if self._thread is None:
            self._watch()
        else:
            self._thread.join(CLOSE_S + self._longer_s())
        self._gave_up = True
        if self._process is None or not self._process.has_ended:
            self._note("the sampler did not respond at the end: no data after its last row")
        elif self._process.refused:
            reason = os.strerror(self._process.refused)
            self._note(f"the last rows of the ledger could not be written: {reason}")

    def _longer_s(self) -> float:
        """How much longer to wait for the last sample: slow drivers, or a machine that is."""
        if self._process is None:
            return 0.0
        if self._process.started:
            return 2.0 * self._process.takes_s
        return max(0.0, START_S - (time.monotonic() - self._started_s))

    def abandon(self) -> None:
        """Let the sampler end by itself: nobody uses the run any more."""
        self._gave_up = True
        if self.is_owner and self._process is not None:
            self._process.hang_up()

    def after_fork(self) -> None:
        """In a forked child: leave the sampler to the parent, and send rows by other numbers."""
        self._lock = threading.Lock()
        self.is_owner, self._thread = False, None
        self._count += os.getpid() << 32
        self._newest = self._passed = self._count

    def _watch(self) -> None:
        """Start another sampler whenever one is lost, until the run ends."""
        _, error = attempt(self._restart_until_closed)
        if error is not None:  # nothing may reach the run
            self._note(f"the sampler is not watched any more: {error}")

    def _restart_until_closed(self) -> None:
        while why := self._process.wait_until_lost() if self._process else "killed":
            if not self._restart(why):
                return
        if self._process is not None:
            self._process.release(EXIT_S)

    def _restart(self, why: str) -> bool:
        """Replace a lost sampler; False if there is to be no other."""
        if self._lost is None and why != "again":
            self._lost = {"k": "lost_sampler", "m": time.monotonic_ns(), "why": why}
        self._earlier += why == "again"
        with self._lock:
            self._is_up = False
        if self._process is not None:
            self._process.kill()
        healthy = time.monotonic() - self._started_s > HEALTHY_S
        self._in_a_row = 0 if healthy else self._in_a_row + 1
        if self._in_a_row > MAX_RESTARTS:
            self._note(f"the sampler was lost {MAX_RESTARTS} times in a row: it is not restarted")
            return False
        if self._in_a_row > AT_ONCE:
            self._closing.wait(min(2.0 ** (self._in_a_row - AT_ONCE - 1), MOST_PAUSE_S))
        if self._gave_up:
            return False
        header = {**self._settings["header"], "continues": True}
        written = self._rows.written()
        changed = {"header": header, "lost": self._lost, "earlier": self._earlier}
        process = self._start({**self._settings, **changed})
        if process is not None and process.started:
            self._lost = None
        with self._lock:
            self._process, self._written, self._passed = process, written, 0
            self._is_up = process is not None
        self._catch_up()
        return True

    def _start(self, settings: dict[str, Any]) -> SamplerProcess | None:
        """Start a sampler and wait for its first word; None, with a note, if that fails."""
        self._started_s = time.monotonic()
        try:
            process = SamplerProcess(settings)
        except OSError as error:
            self._note(f"no sampler: {error}")
            return None
        self.pids.append(process.pid)
        process.wait_until_started(READY_S)
        return process

    def _catch_up(self) -> None:
        """Send the rows that are not written, as fast as the sampler takes them."""
        until_s = time.monotonic() + CATCH_UP_S
        while time.monotonic() < until_s:
            with self._lock:
                if self._pass_on() or not self._is_up:
                    return
            time.sleep(FULL_S)

    def _pass_on(self) -> bool:
        """Pass rows to the sampler while it takes them; whether it has taken all."""
        if not self._is_up or self._process is None:
            return False
        try:
            for number, line in self._rows.after(self._passed):
                if number not in self._written and not self._process.write(line):
                    return False
                self._passed = number
        except (OSError, ValueError):
            self._is_up = False
            return False
        return True

    def _note(self, text: str) -> None:
        """Add a note on something that went wrong, unless it is there already."""
        if text not in self._notes:
            self._notes.append(text)


_SUPERVISORS: weakref.WeakSet[Supervisor] = weakref.WeakSet()


def _after_fork() -> None:
    for supervisor in list(_SUPERVISORS):
        supervisor.after_fork()


os.register_at_fork(after_in_child=_after_fork)
