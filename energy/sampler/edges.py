"""The edges of windows: moments at which joules must be known precisely.

A coarse counter says little about such a moment by itself. Once the counter has ticked past it, the
dated ticks around the moment are written to the ledger, each tick once.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from energy.meters.ticks import KEPT_TICKS, Point, around

SETTLE_NS = 400_000_000
"""How long an edge waits for the two ticks after it."""

FLUSH_NS = 200_000_000
"""Time between two checks for settled edges: a run of short steps has fifty windows a second."""


class Edges:
    """Remembers edges until they can be dated.

    Args:
        curves: dated ticks of each counter; they grow.
        append: writes a row to the ledger.
    """

    def __init__(
        self, curves: dict[str, deque[Point]], append: Callable[[dict[str, Any]], object]
    ) -> None:
        self._curves, self._append = curves, append
        self._moments: deque[int] = deque()
        self._written: dict[str, set[int]] = {}
        self._due = 0

    def add(self, *moments_ns: int) -> None:
        """Remember moments; if no counter is coarse, the samples alone are enough."""
        if self._curves:
            self._moments.extend(moments_ns)

    def forget(self, name: str) -> None:
        """Wait no more for the ticks of a counter."""
        self._curves.pop(name, None)

    def waiting(self) -> bool:
        """Whether some edges are not written yet."""
        return bool(self._moments)

    def flush(self, at_once: bool = False) -> None:
        """Write the ticks around the edges that have settled.

        Args:
            at_once: check now, even if the last check was only a moment ago.
        """
        now = time.monotonic_ns()
        if at_once or now >= self._due:
            self._due = now + FLUSH_NS
            self._settle(now - SETTLE_NS)

    def flush_all(self) -> None:
        """Write what is known around every remaining edge."""
        self._settle(time.monotonic_ns())

    def write_last(self, name: str) -> None:
        """Write the last tick of a counter that is lost, because no later one will come."""
        self._write({name: [self._curves[name][-1]]})

    def _settle(self, late_ns: int) -> None:
        """Write the points around edges; only edges after `late_ns` wait for later ticks."""
        settled: dict[str, list[Point]] = {}
        while self._moments:
            wait = self._moments[0] > late_ns
            near = {
                name: around(points, self._moments[0], wait)
                for name, points in self._curves.items()
            }
            if None in near.values():
                break
            self._moments.popleft()
            for name, points in near.items():
                settled.setdefault(name, []).extend(points or [])
        self._write(settled)

    def _write(self, curves: dict[str, list[Point]]) -> None:
        """Write those points that are not in the ledger yet."""
        rows = {}
        for name, points in curves.items():
            written = self._written.setdefault(name, set())
            new = sorted({point for point in points if point[0] not in written})
            if new:
                written.update(moment for moment, _ in new)
                rows[name] = [[moment, rounded(joules)] for moment, joules in new]
            if len(written) > 2 * KEPT_TICKS:
                # Points that are no longer in memory cannot come up again.
                oldest_ns = self._curves[name][0][0]
                self._written[name] = {moment for moment in written if moment >= oldest_ns}
        if rows:
            self._append({"k": "t", "j": rows})


def rounded(value: float | None) -> float | None:
    """Round to a millijoule or a milliwatt, the resolution of the meters of boards."""
    return None if value is None else round(value, 3)
