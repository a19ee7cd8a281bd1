"""Reads the meters of a node when each is due, and writes the samples.

Counters that tick coarsely are followed in memory, and only the dated ticks around the edges of
windows are written to disk. Power is read ten times a second, at jittered moments, and every
reading is written with the next sample; nothing is integrated here.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from energy.ledger.writer import Writer
from energy.meters.base import Domain, Source
from energy.meters.ticks import Follower
from energy.outside import attempt
from energy.sampler.checks import Checks
from energy.sampler.clocks import Clocks
from energy.sampler.edges import Edges, rounded
from energy.sampler.powers import Powers

LONGEST_PAUSE_NS = 1_000_000_000
"""The longest pause that a run can request."""

LATE_S = 1.0
"""A sample that is later than this, and later than two intervals, is recorded as a gap."""

SUSPENDED = "the sampler was suspended or starved"
DELETED = "the ledger was deleted and written again"

STALE_NS = 1_000_000
"""A reading older than this when its sample is complete gets an age of its own."""

STALE_TICKS = 3
"""A counter that shows more than its last dated tick, which is so many ticks old, has gone on."""

HURRY_NS = 250_000_000
"""How long the end of a run waits for the ticks that follow it."""


class Sampler:
    """Reads the sources and writes what the ledger needs.

    Args:
        sources: the opened sources.
        domains: the domains, in the order of the header.
        writer: the writer of the ledger.
        interval_s: between samples on disk.
        clocks: compares the machine's clocks.

    Attributes:
        interval_s: between samples on disk.
        serves_others: whether attached runs have used the samples.
    """

    def __init__(
        self,
        sources: list[Source],
        domains: list[Domain],
        writer: Writer,
        interval_s: float,
        clocks: Clocks | None = None,
    ) -> None:
        self._sources, self._writer, self.interval_s = sources, writer, interval_s
        self._domains = [domain.id for domain in domains]
        self._meters = {domain.id: domain.meter for domain in domains}
        self._ticks_ns = {domain.id: round(domain.tick_s * 1e9) for domain in domains}
        self._interval_ns = round(interval_s * 1e9)
        self._followers = {
            name: Follower(read, time.monotonic_ns)
            for source in sources
            for name, read in source.counters().items()
        }
        self._powers = [
            Powers(source, [d.id for d in domains if d.meter == source.name and d.read_by_power])
            for source in sources
            if source.poll_s()
        ]
        curves = {name: follower.points for name, follower in self._followers.items()}
        self._edges = Edges(curves, writer.append)
        self._checks = Checks(sources, self._interval_ns, writer.append)
        self._clocks = clocks or Clocks()
        self._due = time.monotonic_ns()
        self._paused_until = 0
        self.serves_others = False

    def pause(self, until_ns: int) -> None:
        """Read nothing until then, for a second at most; a run requests it to measure our cost."""
        self._paused_until = min(until_ns, time.monotonic_ns() + LONGEST_PAUSE_NS)

    def leave_out(self, meter: str) -> None:
        """Read a meter no more; what was read of it is written."""
        self._sources = [source for source in self._sources if source.name != meter]
        for name in [name for name in self._followers if self._meters[name] == meter]:
            if self._followers.pop(name).points:
                self._edges.write_last(name)
            self._edges.forget(name)
        self._checks.leave_out(meter)
        silent = [powers for powers in self._powers if powers.meter == meter]
        self._powers = [powers for powers in self._powers if powers.meter != meter]
        self.sample(silent)
        self._due = time.monotonic_ns() + self._interval_ns

    def wait_ns(self) -> int:
        """Nanoseconds until something is due."""
        now = time.monotonic_ns()
        if self._paused_until > now:
            return self._paused_until - now
        due = [
            self._due,
            *(powers.due_ns for powers in self._powers),
            *(follower.due_ns for follower in self._followers.values()),
        ]
        return max(0, min(due) - now)

    def run_pending(self) -> None:
        """Do everything that is due."""
        now = time.monotonic_ns()
        if self._paused_until > now:
            return
        for follower in self._followers.values():
            # Polls that may come early share this wake-up.
            if follower.due_ns - follower.slack_ns <= now:
                follower.poll()
        for powers in self._powers:
            if powers.due_ns <= now:
                powers.read()
        self._edges.flush()
        self._checks.run_pending()
        if self._due <= now:
            self._write_gaps(now)
            self.sample()
            # Intervals that were missed during a suspension are not made up for.
            self._due = max(self._due + self._interval_ns, now)

    def sample(self, silent: Sequence[Powers] = ()) -> int:
        """Write one sample of every domain; returns its moment.

        Args:
            silent: whose readings are written although they are not read any more.
        """
        for clock_row in self._clocks.rows():
            self._writer.append(clock_row)
        joules, read_ns = self._readings()
        for powers in self._powers:
            powers.read_again()
        now = time.monotonic_ns()
        ages = {
            name: (now - moment) // 1000
            for name, moment in read_ns.items()
            if name not in self._followers and now - moment >= STALE_NS
        }
        for name, follower in self._followers.items():
            if not follower.points or name not in joules:
                continue
            moment, reached = follower.points[-1]
            is_stale = now - moment > STALE_TICKS * self._ticks_ns[name]
            if joules[name] is not None and is_stale and joules[name] != reached:
                continue  # its polls fail now and then, and have missed the ticks since
            if joules[name] is not None:
                # The last dated tick is more precise than a reading somewhere within the next one.
                joules[name], ages[name] = reached, (now - moment) // 1000
            else:
                self._edges.write_last(name)
        row: dict[str, Any] = {
            "k": "s",
            "m": now,
            "j": [rounded(joules.get(name)) for name in self._domains],
        }
        if ages:
            row["a"] = [ages.get(name) for name in self._domains]
        read = {powers.meter: powers.taken(now) for powers in (*self._powers, *silent)}
        if any(read.values()):
            row["p"] = {meter: rows for meter, rows in read.items() if rows}
        checks = self._checks.taken()
        if checks:
            row["w"] = [rounded(checks.get(name)) for name in self._domains]
        self._writer.append(row)
        return now

    def add_edges(self, *moments_ns: int) -> None:
        """Remember edges of windows, which are dated once the counters have ticked past them."""
        self._edges.add(*moments_ns)

    def settle(self) -> None:
        """Wait for the next tick of each counter, and write the last edges."""
        now = time.monotonic_ns()
        self.add_edges(now)
        self._checks.write_states()
        for follower in self._followers.values():
            follower.hurry()
        while self._edges.waiting() and time.monotonic_ns() - now < HURRY_NS:
            time.sleep(min(self.wait_ns(), 5_000_000) / 1e9)
            for follower in self._followers.values():
                if follower.due_ns <= time.monotonic_ns():
                    follower.poll()
            self._edges.flush(at_once=True)
        self._edges.flush_all()

    def _write_gaps(self, now: int) -> None:
        """Record a late sample or a deleted ledger as a gap with its cause."""
        late_s = (now - self._due) / 1e9
        if late_s > max(LATE_S, 2 * self._interval_ns / 1e9):
            self._writer.append({"k": "gap", "m": now, "s": round(late_s, 3), "why": SUSPENDED})
        if self._writer.restore():
            self._writer.append({"k": "gap", "m": now, "s": 0.0, "why": DELETED})

    def _readings(self) -> tuple[dict[str, float | None], dict[str, int]]:
        """Joules of every domain now, and the moment (ns) at which each was read."""
        joules: dict[str, float | None] = {}
        read_ns: dict[str, int] = {}
        for source in self._sources:
            # A source that fails unexpectedly is a gap.
            values = attempt(source.read)[0] or {}
            joules.update(values)
            read_ns.update(dict.fromkeys(values, source.dated_ns() or time.monotonic_ns()))
        return joules, read_ns
