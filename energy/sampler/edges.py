"""Moments at which joules must be known well: the edges of windows.

A coarse counter tells little at such a moment by itself. Once it has stepped past, the dated steps
around the moment go into the ledger, each step once.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from energy.meters.ticks import KEPT, Point, around

SETTLE_NS = 400_000_000
"""How long an edge waits for the two steps after it."""


TELL_NS = 200_000_000
"""Between two looks at which edges are settled: a run of short steps has fifty a second."""


class Edges:
    """Remembers edges until they can be dated.

    Args:
        curves: dated steps of each counter, or readings of each integral of power; they grow.
        append: writes a row of the ledger.
    """

    def __init__(
        self, curves: dict[str, deque[Point]], append: Callable[[dict[str, Any]], object]
    ) -> None:
        self._curves, self._append = curves, append
        self._moments: deque[int] = deque()
        self._told: dict[str, set[int]] = {}
        self._due = 0

    def add(self, *moments_ns: int) -> None:
        """Remember moments; where nothing steps coarsely the samples tell all."""
        if self._curves:
            self._moments.extend(moments_ns)

    def waiting(self) -> bool:
        """Whether some are not written yet."""
        return bool(self._moments)

    def tell(self, at_once: bool = False) -> None:
        """Write the steps around the edges that have settled.

        Args:
            at_once: those that have settled only just, too.
        """
        now = time.monotonic_ns()
        if at_once or now >= self._due:
            self._due = now + TELL_NS
            self._settle(now - SETTLE_NS)

    def tell_all(self) -> None:
        """Write what is known around every edge that is left."""
        self._settle(time.monotonic_ns())

    def tell_last(self, name: str) -> None:
        """Write the last step of a counter that is lost: it is all that will be known."""
        self._write({name: [self._curves[name][-1]]})

    def _settle(self, late_ns: int) -> None:
        """Write the points around edges, waiting for later steps only where the edge is young."""
        rows: dict[str, list[Point]] = {}
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
                rows.setdefault(name, []).extend(points or [])
        self._write(rows)

    def _write(self, found: dict[str, list[Point]]) -> None:
        """Write those points that are not in the ledger yet."""
        rows = {}
        for name, points in found.items():
            told = self._told.setdefault(name, set())
            if new := sorted({point for point in points if point[0] not in told}):
                told.update(moment for moment, _ in new)
                rows[name] = [[moment, rounded(joules)] for moment, joules in new]
            if len(told) > 2 * KEPT:
                # Points that are no longer kept cannot be told again.
                self._told[name] = {m for m in told if m >= self._curves[name][0][0]}
        if rows:
            self._append({"k": "t", "j": rows})


def rounded(joules: float | None) -> float | None:
    """To a millijoule, which is what counters of boards resolve."""
    return None if joules is None else round(joules, 3)
