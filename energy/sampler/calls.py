"""Calls into drivers: each is made under the eyes of a second thread, which goes on if it hangs.

A driver may never return: the board is being reset, a lock of the kernel is lost. Such a call can
be neither interrupted nor killed. But it releases the interpreter's lock, so another thread of the
same process can leave the meter out and carry on in place of the thread that made the call. When
the call does return, that thread learns that it is superseded, and does nothing any more.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from energy.meters.base import Domain, Source

T = TypeVar("T")

LIMIT_S = 2.0
"""Seconds after which a call counts as hung; a driver answers within 0.1 s, or 0.2 s a board."""

PROBE_LIMIT_S = 2.5
"""The same while a meter is opened: the first start of a driver may load firmware."""

ENDING_LIMIT_S = 1.0
"""The same at the end of a run, which is not to wait."""

MOST_LIMIT_S = 30.0
"""The limit doubles each time that a call returns late after all, up to this."""

DISK = "the disk"
"""Stands in the place of a meter while the ledger is written, for which there is no limit."""


class SupersededError(BaseException):
    """Another thread does the work of this one, because a call of this one took too long.

    It is not an Exception, so that no handler of a failed reading takes it for one.
    """


class Call(NamedTuple):
    """A call that is going on.

    Attributes:
        meter: for which meter.
        begin_ns: when it was made.
        least_s: seconds before which it does not count as hung.
    """

    meter: str
    begin_ns: int
    least_s: float


class Calls:
    """Knows which call is going on in the thread that does the work.

    Attributes:
        returned: meters whose calls have returned after they had been left out.
        ending: whether the run ends.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._worker = threading.get_ident()
        self._current: Call | None = None
        self._limits: dict[str, float] = {}
        self.returned: list[str] = []
        self.ending = False

    def make(self, meter: str, call: Callable[[], T], least_s: float = 0.0) -> T:
        """Make a call for a meter and return its answer.

        Args:
            meter: name of the meter.
            call: makes the call.
            least_s: the call does not count as hung before so many seconds.

        Raises:
            SupersededError: another thread works in place of this one.
        """
        self._current = Call(meter, time.monotonic_ns(), least_s)
        try:
            return call()
        finally:
            with self._lock:
                if self._worker != threading.get_ident():
                    self.returned.append(meter)
                    raise SupersededError
                self._current = None

    def waits_s(self) -> float:
        """Seconds since the call that is going on began; 0 if there is none."""
        current = self._current
        return 0.0 if current is None else (time.monotonic_ns() - current.begin_ns) / 1e9

    def overdue(self) -> str | None:
        """The meter whose call takes too long; None if there is none."""
        current, waits_s = self._current, self.waits_s()
        if current is None or current.meter == DISK:
            return None
        limit_s = max(self._limits.get(current.meter, LIMIT_S), current.least_s)
        return current.meter if waits_s > (ENDING_LIMIT_S if self.ending else limit_s) else None

    def supersede(self, meter: str) -> bool:
        """Work in place of the thread that waits for a meter; False if that has just returned."""
        with self._lock:
            current = self._current
            if current is None or current.meter != meter or self._is_starved():
                return False
            self._worker, self._current = threading.get_ident(), None
            # A meter that is only slow gets more time, should it return.
            limit_s = max(self._limits.get(meter, LIMIT_S), current.least_s)
            self._limits[meter] = min(2 * limit_s, MOST_LIMIT_S)
        return True

    def _is_starved(self) -> bool:
        """Whether the thread could run and has no processor: the machine is busy, not the driver.

        The third field of a thread's stat file is R while it is ready to run (proc(5)).
        """
        worker = next((t for t in threading.enumerate() if t.ident == self._worker), None)
        if worker is None or worker.native_id is None:
            return False
        with contextlib.suppress(OSError, IndexError):
            stat = Path(f"/proc/self/task/{worker.native_id}/stat").read_text()
            return stat.rpartition(")")[2].split()[0] == "R"
        return False


class Watched:
    """A source whose calls into its driver are watched.

    Args:
        source: the source.
        calls: where the calls are made.
    """

    def __init__(self, source: Source, calls: Calls) -> None:
        self.name, self._source, self._calls = source.name, source, calls
        self.absent = source.absent

    def check(self) -> None:
        """As the source does."""
        self._source.check()

    def counters(self) -> dict[str, Callable[[], float | None]]:
        """As the source does; each reading is watched by itself."""

        def watched(read: Callable[[], float | None]) -> Callable[[], float | None]:
            return lambda: self._calls.make(self.name, read)

        return {name: watched(read) for name, read in self._source.counters().items()}

    def poll_s(self) -> float:
        """As the source does."""
        return self._source.poll_s()

    def powers(self) -> dict[str, float | None]:
        """As the source does."""
        return self._calls.make(self.name, self._source.powers)

    def states(self) -> dict[str, dict[str, Any]]:
        """As the source does."""
        return self._calls.make(self.name, self._source.states)

    def slowed_by(self) -> dict[str, list[str]]:
        """As the source does."""
        return self._calls.make(self.name, self._source.slowed_by)

    def dated_ns(self) -> int:
        """As the source does."""
        return self._source.dated_ns()

    def probe(self) -> list[Domain]:
        """As the source does; it may take longer than a reading."""
        return self._calls.make(self.name, self._source.probe, PROBE_LIMIT_S)

    def read(self) -> dict[str, float | None]:
        """As the source does."""
        return self._calls.make(self.name, self._source.read)

    def watts(self) -> dict[str, float | None]:
        """As the source does."""
        return self._calls.make(self.name, self._source.watts)

    def dated_watts(self) -> list[tuple[int, dict[str, float | None]]]:
        """As the source does."""
        return self._calls.make(self.name, self._source.dated_watts)

    def close(self) -> None:
        """As the source does."""
        self._calls.make(self.name, self._source.close)
