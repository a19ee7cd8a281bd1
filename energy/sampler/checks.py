"""What is read beside the joules: the power of boards with a counter, and how they are set.

The power is a check on the counter, four times a second at first and then once in each second or
sampling interval, at a random moment of it, so that a periodic load does not mislead it. How the
devices are set is written shortly after the start and at the end, and in between when something new
slows one of them down.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from energy.meters.base import Source
from energy.outside import attempt

PERIOD_NS = 1_000_000_000
"""There is one check of the power in each interval, and in each second if that is longer."""

FIRST_CHECKS, FIRST_PERIOD_NS = 40, 250_000_000
"""The first checks come closer: four of a load that goes up and down may all see its peak."""

FIRST_STATES_NS = 300_000_000
"""How long after the start the settings are read: the first readings do not wait for them."""

SLOWED_NS = 10_000_000_000
"""Time between two looks at what slows the devices down."""


class Checks:
    """Reads what is due, and keeps it until it is written.

    Args:
        sources: the opened sources.
        interval_ns: between samples.
        write: writes a row.
    """

    def __init__(
        self, sources: list[Source], interval_ns: int, write: Callable[[dict[str, Any]], None]
    ) -> None:
        self._sources, self._write = list(sources), write
        self._period_ns = max(PERIOD_NS, interval_ns)
        now = time.monotonic_ns()
        self._begin, self._due, self._look_due = now, 0, now + FIRST_STATES_NS
        self._watts: dict[str, list[float]] = {}
        self._first = FIRST_CHECKS
        self._schedule()
        self._reasons: dict[str, set[str]] | None = None

    def leave_out(self, meter: str) -> None:
        """Read a meter no more."""
        self._sources = [source for source in self._sources if source.name != meter]

    def run_pending(self) -> None:
        """Do what is due. Nothing wakes the process for it: some counter does, soon enough."""
        now = time.monotonic_ns()
        if self._due <= now:
            self._begin = max(self._begin + self._current_ns, now - self._current_ns)
            self._first = max(0, self._first - 1)
            self._schedule()
            for source in self._sources:
                for name, watts in _answer(source.powers).items():
                    if watts is not None:
                        self._watts.setdefault(name, []).append(watts)
        if self._look_due <= now:
            self._look_due = now + SLOWED_NS
            if self._reasons is None or self._is_slowed_anew():
                self.write_states()

    def taken(self) -> dict[str, float]:
        """Watts by domain of the checks since the last call; their mean if there are several."""
        watts, self._watts = self._watts, {}
        return {name: sum(values) / len(values) for name, values in watts.items()}

    def write_states(self) -> None:
        """Write how the devices are set and how they fare now, if any of them tells it."""
        states: dict[str, Any] = {}
        for source in self._sources:
            states.update(_answer(source.states))
        reasons = {name: set(state.get("slowed_by", ())) for name, state in states.items()}
        self._reasons = self._reasons or {}
        for name, own in reasons.items():
            self._reasons.setdefault(name, set()).update(own)
        if states:
            self._write({"k": "state", "m": time.monotonic_ns(), "devices": states})

    def _is_slowed_anew(self) -> bool:
        """Whether something slows a device that has not done so before."""
        for source in self._sources:
            for name, reasons in _answer(source.slowed_by).items():
                if set(reasons) - (self._reasons or {}).get(name, set()):
                    return True
        return False

    def _schedule(self) -> None:
        """Choose a moment in the period that begins at `_begin`."""
        self._due = self._begin + round(self._current_ns * random.random())

    @property
    def _current_ns(self) -> int:
        """Length of the present period."""
        return min(FIRST_PERIOD_NS, self._period_ns) if self._first else self._period_ns


def _answer(call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What a source answers; nothing if it fails unexpectedly."""
    return attempt(call)[0] or {}
