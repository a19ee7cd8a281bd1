"""Reads the meters of a node when each is due, and writes the samples.

Counters that step coarsely are followed in memory, and only the dated steps around the edges of
windows go to disk; where only power exists it is read ten times a second at jittered moments.
"""

from __future__ import annotations

import random
import time
from collections import deque

from energy.ledger.writer import Writer
from energy.meters.base import Source
from energy.meters.ticks import KEPT, Follower, Point
from energy.sampler.clocks import Clocks
from energy.sampler.edges import Edges, rounded

PAUSE_NS = 1_000_000_000


LATE_S = 1.0
"""A sample that comes later than this, and than two intervals, is told."""


STOOD = "the sampler was suspended or starved; counters went on"


DELETED = "the ledger was deleted and written again"


OLD_NS = 1_000_000
"""A reading that the others of a sample kept waiting longer is dated by itself."""


HURRY_NS = 250_000_000
"""How long the end of a run waits for the steps of the counters behind it."""


class Sampler:
    """Reads the sources and writes what the ledger needs.

    Args:
        found: opened sources.
        domains: ids in the order of the header.
        writer: where rows go.
        interval_s: between samples on disk.
    """

    def __init__(
        self, found: list[Source], domains: list[str], writer: Writer, interval_s: float
    ) -> None:
        self._found, self._domains, self._writer = found, domains, writer
        self._interval_ns = round(interval_s * 1e9)
        self._followers = {
            name: Follower(read, time.monotonic_ns)
            for source in found
            for name, read in source.counters().items()
        }
        self._polls = [(s, round(s.poll_s() * 1e9)) for s in found if s.poll_s()]
        self._poll_due: dict[str, int] = {}
        self._curves = {name: follower.points for name, follower in self._followers.items()}
        self._edges = Edges(self._curves, writer.append)
        self._clocks = Clocks()
        self._due = time.monotonic_ns()
        self._paused = 0
        self.lent = False

    def pause(self, until_ns: int) -> None:
        """Read nothing until then, for a second at most: what a run asks to see what we cost."""
        self._paused = min(until_ns, time.monotonic_ns() + PAUSE_NS)

    def wait_ns(self) -> int:
        """Nanoseconds until something is due."""
        now = time.monotonic_ns()
        if self._paused > now:
            return self._paused - now
        due = [
            self._due,
            *self._poll_due.values(),
            *(follower.due_ns for follower in self._followers.values()),
        ]
        return max(0, min(due) - now)

    def step(self) -> None:
        """Do all that is due."""
        now = time.monotonic_ns()
        if self._paused > now:
            return
        for follower in self._followers.values():
            # Those that may be looked at early share this waking.
            if follower.due_ns - follower.spare_ns <= now:
                follower.look()
        for source, period in self._polls:
            if self._poll_due.get(source.name, 0) <= now:
                self._poll(source)
                # Jitter keeps a periodic load from hiding between the readings.
                self._poll_due[source.name] = now + round(period * random.uniform(0.8, 1.2))
        self._edges.tell()
        if self._due <= now:
            self._tell_gaps(now)
            self.sample()
            # After a suspension the missed intervals are not made up for.
            self._due = max(self._due + self._interval_ns, now)

    def _tell_gaps(self, now: int) -> None:
        """A row with its cause for samples that are late, and for a ledger that was gone."""
        late_s = (now - self._due) / 1e9
        if late_s > max(LATE_S, 2 * self._interval_ns / 1e9):
            self._writer.append({"k": "gap", "m": now, "s": round(late_s, 3), "why": STOOD})
        if self._writer.restore():
            self._writer.append({"k": "gap", "m": now, "s": 0.0, "why": DELETED})

    def sample(self) -> int:
        """Write one sample of everything; returns its moment."""
        for row in self._clocks.look():
            self._writer.append(row)
        joules: dict[str, float | None] = {}
        read_ns: dict[str, int] = {}
        for source in self._found:
            told = _readings(source)
            joules.update(told)
            read_ns.update(dict.fromkeys(told, time.monotonic_ns()))
        now = time.monotonic_ns()
        ages = {
            name: (now - moment) // 1000
            for name, moment in read_ns.items()
            if name not in self._followers and now - moment >= OLD_NS
        }
        for name, follower in self._followers.items():
            if not follower.points or name not in joules:
                continue
            moment, reached = follower.points[-1]
            if joules[name] is not None:
                # The last dated step stands for a reading in the middle of the next.
                joules[name], ages[name] = reached, (now - moment) // 1000
            else:
                self._edges.tell_last(name)
        row = {"k": "s", "m": now, "j": [rounded(joules.get(name)) for name in self._domains]}
        self._writer.append(
            row | ({"a": [ages.get(name) for name in self._domains]} if ages else {})
        )
        return now

    def edge(self, *moments_ns: int) -> None:
        """Remember the edges of a window, to be dated once the counters have stepped past them."""
        self._edges.add(*moments_ns)

    def settle(self) -> None:
        """Wait for the step after now, and write the last edges."""
        now = time.monotonic_ns()
        self.edge(now)
        for follower in self._followers.values():
            follower.hurry()
        while self._edges.waiting() and time.monotonic_ns() - now < HURRY_NS:
            time.sleep(min(self.wait_ns(), 5_000_000) / 1e9)
            for follower in self._followers.values():
                if follower.due_ns <= time.monotonic_ns():
                    follower.look()
            for source, _ in self._polls:
                self._poll(source)
            self._edges.tell(at_once=True)
        self._edges.tell_all()

    def _poll(self, source: Source) -> None:
        for name, joules in source.read().items():
            if joules is not None and name not in self._followers and name in self._domains:
                kept: deque[Point] = self._curves.setdefault(name, deque(maxlen=KEPT))
                kept.append((time.monotonic_ns(), joules))


def _readings(source: Source) -> dict[str, float | None]:
    """What a source tells; one that fails in a way that it did not foresee is a gap."""
    try:
        return source.read()
    except Exception:
        return {}
