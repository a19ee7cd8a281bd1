"""A run on a node whose meters another process reads already: it writes windows and marks only.

Its ledger names the ledger that holds the samples, and keeps a second name (a hard link) of that
file in its own folder, so that it stays whole when the other run's folder is moved or deleted.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any

from energy.ledger import reader as ledger
from energy.ledger.writer import Writer
from energy.sampler.seat import Seat

LOOK_NS = 50_000_000
"""Between two looks for the holder of a seat that has not told its name yet."""


ALIVE_NS = 10_000_000_000
"""Between two rows that say that this run lives: what its own record may lack after a kill."""


AT_ONCE = 100
"""Edges in one word to the reader."""


ANSWER_S = 0.25
"""How long the holder may take for a sample that it was asked for."""


class Attached:
    """Follows who reads the meters of this node, for the rows of one run.

    Args:
        seat: of the reader.
        writer: of this run's ledger.
        interval_s: between two looks at who holds the seat.
    """

    def __init__(self, seat: Seat, writer: Writer, interval_s: float) -> None:
        self._seat, self._writer = seat, writer
        self._interval_ns = round(interval_s * 1e9)
        self._holder: dict[str, Any] | None = None
        self._due = self._alive = self._asked = time.monotonic_ns()

    def wait_ns(self) -> int:
        """Nanoseconds until something is due."""
        return max(0, self._due - time.monotonic_ns())

    def step(self) -> None:
        """Look who reads, and say now and then that this run lives."""
        now = time.monotonic_ns()
        if now < self._due:
            return
        holder = self._seat.holder()
        if holder is not None and holder != self._holder:
            self._writer.append({"k": "attach", "m": now, "to": holder})
            self._link(holder)
            self._seat.ask("sample")
            self._holder = holder
        if now - self._alive >= ALIVE_NS:
            self._writer.append({"k": "alive", "m": now})
            self._alive = now
        self._due = now + (LOOK_NS if self._holder is None else self._interval_ns)

    def pause(self, until_ns: int) -> None:
        """Nothing is read here."""

    def edge(self, *moments_ns: int) -> None:
        """Let the reader date its counters around the edges of windows."""
        for start in range(0, len(moments_ns), AT_ONCE):
            self._seat.ask("edge " + " ".join(map(str, moments_ns[start : start + AT_ONCE])))

    def sample(self) -> int:
        """Ask the reader for a sample; returns the moment, which its sample lies just behind."""
        self.step()
        self._asked = time.monotonic_ns()
        self._seat.ask("sample")
        self.edge(self._asked)
        return self._asked

    def settle(self) -> None:
        """Wait until the reader has written that sample, and the step of the counters behind it."""
        if self._holder is None:
            return
        path = Path(self._holder["ledger"])
        while time.monotonic_ns() - self._asked < ANSWER_S * 1e9:
            if ledger.known_until(path) >= self._asked:
                return
            time.sleep(0.005)

    def _link(self, holder: dict[str, Any]) -> None:
        """Another name for the holder's ledger beside ours; another disk does without."""
        with contextlib.suppress(OSError):
            os.link(
                holder["ledger"], self._writer.path.with_name(ledger.node_file_name(holder["id"]))
            )
