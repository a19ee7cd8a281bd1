"""Calls into drivers: each is made under the eyes of a second thread, which goes on if it hangs.

A driver may never return: the board is being reset, a lock of the kernel is lost. Such a call can
be neither interrupted nor killed. But it releases the interpreter's lock, so another thread of the
same process can leave the meter out and carry on in place of the thread that made the call. When
the call does return, that thread learns that it is superseded, and does nothing any more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from energy.meters.base import Domain, Source
from energy.meters.files import process_state

T = TypeVar("T")

LIMIT_S = 2.0
"""Seconds after which a call into a driver counts as hung; most answer within 0.1 s."""

PROBE_LIMIT_S = 2.5
"""The same while a meter is opened: the first start of a driver may load firmware."""

ENDING_LIMIT_S = 1.0
"""The same at the end of a run, which is not to wait."""

MOST_LIMIT_S = 30.0
"""The limit doubles each time that a call returns late after all, up to this."""

SLOW_CALL_S = 0.25
"""A driver whose calls take longer is slow: it is read seldom, and only what counts."""

SLOW_SHARE = 3.0
"""It is read for one of so many seconds."""

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
        usual_s: seconds of a call into the slow driver of a meter.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._worker = threading.get_ident()
        self._current: Call | None = None
        self._limits: dict[str, float] = {}
        self.returned: list[str] = []
        self.ending = False
        self.usual_s: dict[str, float] = {}

    def alive(self) -> None:
        """Note that another call into a driver begins, in the course of the one that is made.

        Raises:
            SupersededError: another thread works in place of this one.
        """
        with self._lock:
            if self._worker != threading.get_ident():
                raise SupersededError
            if self._current is not None:
                self._current = self._current._replace(begin_ns=time.monotonic_ns())

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

    def is_reading(self) -> bool:
        """Whether a call into a driver is going on."""
        current = self._current
        return current is not None and current.meter != DISK

    def overdue(self) -> str | None:
        """The meter whose call takes too long; None if there is none."""
        current, waits_s = self._current, self.waits_s()
        if current is None or current.meter == DISK:
            return None
        limit_s = max(self._limits.get(current.meter, LIMIT_S), current.least_s)
        if self.ending:
            limit_s = max(ENDING_LIMIT_S, 2 * self.usual_s.get(current.meter, 0.0))
        return current.meter if waits_s > limit_s else None

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
        """Whether the thread is ready to run: the machine is busy, and not the driver."""
        worker = next((t for t in threading.enumerate() if t.ident == self._worker), None)
        if worker is None or worker.native_id is None:
            return False
        return process_state(Path(f"/proc/self/task/{worker.native_id}/stat")) == "R"


class Watched:
    """A source whose calls into its driver are watched.

    Args:
        source: the source.
        calls: where the calls are made.

    Attributes:
        takes_s: seconds of one reading if the driver is slow, else 0.
    """

    def __init__(self, source: Source, calls: Calls) -> None:
        self.name, self._source, self._calls = source.name, source, calls
        self.absent = source.absent
        self.takes_s = 0.0
        self.alive = source.alive = calls.alive

    def check(self) -> None:
        """As the source does."""
        self._source.check()

    def counters(self) -> dict[str, Callable[[], float | None]]:
        """As the source does; each reading is watched by itself, and none of a slow driver."""
        if self.takes_s:
            return {}

        def watched(read: Callable[[], float | None]) -> Callable[[], float | None]:
            return lambda: self._calls.make(self.name, read)

        return {name: watched(read) for name, read in self._source.counters().items()}

    def poll_s(self) -> float:
        """As the source does; seldom if its driver is slow."""
        poll_s = self._source.poll_s()
        return max(poll_s, SLOW_SHARE * self.takes_s) if poll_s else 0.0

    def powers(self) -> dict[str, float | None]:
        """As the source does; a slow driver has no time for it, nor for the next two."""
        return {} if self.takes_s else self._calls.make(self.name, self._source.powers)

    def states(self) -> dict[str, dict[str, Any]]:
        """As the source does."""
        return {} if self.takes_s else self._calls.make(self.name, self._source.states)

    def slowed_by(self) -> dict[str, list[str]]:
        """As the source does."""
        return {} if self.takes_s else self._calls.make(self.name, self._source.slowed_by)

    def dated_ns(self) -> int:
        """As the source does."""
        return self._source.dated_ns()

    def probe(self) -> list[Domain]:
        """As the source does; it may take longer than a reading."""
        begin_s = time.monotonic()
        domains = self._calls.make(self.name, self._source.probe, PROBE_LIMIT_S)
        count = sum(not domain.reason for domain in domains)
        if not count or time.monotonic() - begin_s < count * SLOW_CALL_S:
            return domains
        begin_s = time.monotonic()
        self.read()
        self.watts()
        takes_s = time.monotonic() - begin_s
        if takes_s < count * SLOW_CALL_S:
            return domains  # the driver had to be loaded first
        self.takes_s, self._calls.usual_s[self.name] = takes_s, takes_s / count
        return [domain if domain.reason else self._seldom(domain) for domain in domains]

    def _seldom(self, domain: Domain) -> Domain:
        """A domain that is read seldom, because its driver is slow."""
        call_s, every_s = self._calls.usual_s[self.name], SLOW_SHARE * self.takes_s
        slow = f"its driver takes {call_s:.1f} s a call: it is read every {every_s:.0f} s"
        return replace(
            domain,
            tick_s=max(domain.tick_s, every_s) if domain.read_by_power else domain.tick_s,
            note="; ".join(filter(None, (domain.note, slow))),
        )

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
