"""Times of operations on one device."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

from glam.device import synchronizer

REPEATS = 3
"""Runs per median."""

FLUSH_VALUES = 2**23
"""Values (32 MB) touched between two runs: more than the caches of a core hold."""

Row = dict[str, Any]


class Clock:
    """Times operations on one device, each with inputs that are no longer in its caches.

    In a training step an operation does not find its inputs in the caches. Timed in a tight loop it
    would, and would look up to half as fast again as it is.
    """

    def __init__(self, device: torch.device) -> None:
        self._wait = synchronizer(device) or (lambda: None)
        self._flush = torch.zeros(FLUSH_VALUES, device=device)

    def median(self, run: Callable[[], object]) -> float:
        """Return the median seconds of one call with cold caches."""
        run()
        seconds = []
        for _ in range(REPEATS):
            self._flush.add_(1)
            self._wait()
            begun = time.perf_counter()
            run()
            self._wait()
            seconds.append(time.perf_counter() - begun)
        return sorted(seconds)[REPEATS // 2]

    def median_in_a_row(self, run: Callable[[], object], calls: int) -> float:
        """Return the median seconds per call of many in a row, for very short operations."""

        def repeat() -> None:
            for _ in range(calls):
                run()

        return self.median(repeat) / calls


def fastest(repeats: tuple[Row, ...]) -> Row:
    """Return one row from those of several rounds, with the minimum of each time."""
    return {
        name: min(row[name] for row in repeats) if name.startswith("seconds") else value
        for name, value in repeats[0].items()
    }
