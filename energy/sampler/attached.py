"""A run on a node whose meters another process already reads: it writes windows and marks only.

Its ledger names the ledger with the samples, and keeps a hard link to that file in its own folder,
so that it stays complete when the other run's folder is moved or deleted.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any

from energy.ledger import lines as ledger
from energy.ledger.writer import Writer
from energy.sampler.seat import Seat

STARTING_NS = 50_000_000
"""Time between two looks at a seat whose holder has not announced itself yet."""

LOOK_NS = 1_000_000_000
"""The longest time between two looks."""

SILENT_NS = 3_000_000_000
"""A holder that has not been alive for so long does not read any more."""

ANSWER_NS = 1_000_000_000
"""How long such a holder may take to answer a last request."""

ALIVE_NS = 10_000_000_000
"""Time between rows that show that this run is alive: the most that a kill removes from it."""

EDGES_PER_MESSAGE = 100

ANSWER_S = 0.25
"""How long the holder may take to write a sample that was requested."""


class Attached:
    """Follows the process that reads the meters of this node, on behalf of one run.

    Args:
        seat: the seat of that process.
        writer: the writer of this run's ledger.
        interval_s: between two looks at who holds the seat; a second at most.

    Attributes:
        silent: what a holder has announced that does not read any more; None if it does.
    """

    def __init__(self, seat: Seat, writer: Writer, interval_s: float) -> None:
        self._seat, self._writer = seat, writer
        self._interval_ns = min(round(interval_s * 1e9), LOOK_NS)
        self._holder: dict[str, Any] | None = None
        self._questioned: tuple[int, dict[str, Any]] | None = None
        self.silent: dict[str, Any] | None = None
        self._due = self._alive = self._requested = time.monotonic_ns()

    def wait_ns(self) -> int:
        """Nanoseconds until something is due."""
        return max(0, self._due - time.monotonic_ns())

    def run_pending(self) -> None:
        """Notice a new holder, and record from time to time that this run is alive."""
        now = time.monotonic_ns()
        if now < self._due:
            return
        announced = self._seat.holder()
        if announced is not None:
            self._follow({name: announced[name] for name in ("id", "ledger")}, now)
            self._check(announced, now)
        if now - self._alive >= ALIVE_NS:
            self._writer.append({"k": "alive", "m": now})
            self._alive = now
        self._due = now + (STARTING_NS if self._holder is None else self._interval_ns)

    def _follow(self, holder: dict[str, Any], now: int) -> None:
        """Take the samples of a holder from now on."""
        if holder != self._holder:
            self._writer.append({"k": "attach", "m": now, "to": holder})
            self._link(holder)
            self._seat.send("sample")
            self._holder = holder

    def _check(self, announced: dict[str, Any], now: int) -> None:
        """Notice a holder that does not read any more, and does not answer either."""
        if now - announced.get("m", now) < SILENT_NS:
            self._questioned = None
        elif self._questioned is None or self._questioned[1] != announced:
            # If both were suspended the holder reads again in a moment.
            self._questioned = (now, announced)
            self._seat.send("sample")
        elif now - self._questioned[0] >= ANSWER_NS:
            self.silent = announced

    def pause(self, until_ns: int) -> None:
        """Nothing to pause: this process reads no meter."""

    def add_edges(self, *moments_ns: int) -> None:
        """Ask the holder to date its counters around the edges of windows."""
        for start in range(0, len(moments_ns), EDGES_PER_MESSAGE):
            edges = moments_ns[start : start + EDGES_PER_MESSAGE]
            self._seat.send("edge " + " ".join(map(str, edges)))

    def sample(self) -> int:
        """Request a sample from the holder; returns the moment, which that sample follows."""
        self.run_pending()
        self._requested = time.monotonic_ns()
        self._seat.send("sample")
        self.add_edges(self._requested)
        return self._requested

    def settle(self) -> None:
        """Wait until the holder has written that sample and the ticks that follow it."""
        if self._holder is None:
            return
        path = Path(self._holder["ledger"])
        while time.monotonic_ns() - self._requested < ANSWER_S * 1e9:
            if ledger.known_until(path) >= self._requested:
                return
            time.sleep(0.005)

    def _link(self, holder: dict[str, Any]) -> None:
        """Link the holder's ledger into this run's folder; impossible across file systems."""
        link = self._writer.path.with_name(ledger.node_file_name(holder["id"]))
        with contextlib.suppress(OSError):
            os.link(holder["ledger"], link)
