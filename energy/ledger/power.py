"""Joules of readings of power."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from energy.ledger.track import Track

if TYPE_CHECKING:
    from energy.ledger.interpolation import Readings

STOPPED = "the readings of power stopped"
"""Why nothing is known of the time after a reading that no longer counts."""


class PowerTrack(Track):
    """Readings of power, each of which counts until the next one, for `hold_s` at most.

    This is exact for steps and for constant power; a trapezoid would smear every step. The last
    reading tells nothing of the time after it.
    """

    def _take(self, time_s: float, value: float) -> None:
        if not self.bound.allows_w(value):
            self.aside.append((time_s, value))
            return
        joules, why = 0.0, ""
        if self._times:
            seconds = time_s - self._times[-1]
            joules = self._joules[-1] + self._raws[-1] * min(seconds, self.hold_s)
            why = STOPPED if seconds > self.hold_s else ""
        self._append(time_s, value, joules, why)

    def readings(self) -> Readings:
        """The readings, which count no longer than they hold."""
        return replace(super().readings(), hold_s=self.hold_s)

    def _reach_s(self, i: int) -> float:
        return self._times[i] + self.hold_s

    def _last_power(self, i: int) -> float | None:
        return self._raws[i]

    def _next_power(self, i: int) -> float | None:
        return self._raws[i]
