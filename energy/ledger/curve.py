"""Joules over time, from readings of a raw cumulative counter that may wrap, reset or fail."""

from __future__ import annotations

import bisect
from array import array
from dataclasses import dataclass, field

MOST_W = 20_000.0
"""No single domain draws more: a node of eight accelerators is rated at 10 to 14 kW."""

STEP = 0.1
"""Two powers differ much if they differ by more than this share of the greater one."""

SAME_S = 1e-5
"""Readings closer than this are the same reading, because samples give ages in microseconds.

A second point would add a stretch without power, which `at` would take for a change of load.
"""

DATED_S = 0.002
"""How precisely a reading is dated."""

KEPT_FIRST = 2
"""First readings of a curve that are never forgotten, because all joules count from them."""


@dataclass
class Curve:
    """Joules of one domain over time, from raw counters that may wrap, reset or fail.

    A day of samples takes 2 MB: three plain arrays in order of time.

    Attributes:
        wrap_j: joules at which the counter wraps around; 0 if a fall is always a reset.
        unread: readings that failed.
        times: seconds of the readings.
        raws: joules that the counter showed.
        bases: joules counted before the counter last wrapped or was reset.
    """

    wrap_j: float = 0.0
    unread: int = 0
    times: array[float] = field(default_factory=lambda: array("d"))
    raws: array[float] = field(default_factory=lambda: array("d"))
    bases: array[float] = field(default_factory=lambda: array("d"))

    def add(self, time_s: float, raw: float | None) -> None:
        """Add a reading. Readings may come late, and the same reading may come twice."""
        if raw is None:
            self.unread += 1
            return
        i = bisect.bisect_left(self.times, time_s)
        if any(abs(moment - time_s) < SAME_S for moment in self.times[max(0, i - 1) : i + 1]):
            return
        base = self._base(i, time_s, raw)
        for column, value in ((self.times, time_s), (self.raws, raw), (self.bases, base)):
            column.insert(i, value)
        for k in range(i + 1, len(self.times)):
            # A late reading may turn the step to the readings after it into a fall, or undo one.
            again = self._base(k, self.times[k], self.raws[k])
            if again == self.bases[k]:
                break
            self.bases[k] = again

    def forget(self, until_s: float) -> None:
        """Drop the readings before a moment except the first two; totals stay as they are."""
        stop = bisect.bisect_left(self.times, until_s)
        for column in (self.times, self.raws, self.bases):
            del column[KEPT_FIRST:stop]

    def spent_j(self) -> float | None:
        """Joules from the first reading to the last; None without readings."""
        return self._joules(-1) - self._joules(0) if self.times else None

    def at(self, time_s: float) -> float | None:
        """Joules at a moment, interpolated between the readings around it; None without readings.

        Power is assumed constant between two readings. But if it differs much before and after
        that stretch, and lies between the two within it, it is assumed to change in one step (as
        it does when a device starts or stops working).
        """
        i = bisect.bisect_left(self.times, time_s)
        if not self.times:
            return None
        if i == 0 or i == len(self.times):
            return self._joules(min(i, len(self.times) - 1))
        t0, start_j = self.times[i - 1], self._joules(i - 1)
        past_s, dt = time_s - t0, self.times[i] - t0
        before, here, after = self._power(i - 1), self._power(i), self._power(i + 1)
        if (
            before is None
            or after is None
            or here is None
            or not (
                min(before, after) <= here <= max(before, after)
                and abs(before - after) > STEP * max(before, after)
            )
        ):
            return start_j + (here or 0.0) * past_s
        # Power changed once in this stretch; its mean power tells when.
        step_s = dt * (here - after) / (before - after)
        return start_j + before * min(past_s, step_s) + after * max(0.0, past_s - step_s)

    def uncertainty_j(self, time_s: float) -> float:
        """Joules by which `at` may be off, if power takes one step anywhere between two readings.

        Over a stretch dt, interpolation is off by at most dt/4 x the step. The step is taken to be
        the spread of the mean powers of the stretch and its neighbors. 300 W, 0.1 s: 7.5 J.
        """
        i = bisect.bisect_left(self.times, time_s)
        if not 0 < i < len(self.times):
            return 0.0
        around = [self._power(k) for k in (i - 1, i, i + 1)]
        powers = [power for power in around if power is not None]
        dt = self.times[i] - self.times[i - 1]
        return dt / 4 * (max(powers) - min(powers)) + DATED_S * max(powers)

    def _base(self, i: int, time_s: float, raw: float) -> float:
        """Joules before the last wrap or reset, for a reading that is, or will be, at index i."""
        if i == 0:
            return 0.0
        last, base = self.raws[i - 1], self.bases[i - 1]
        if raw >= last:
            return base
        # A fall is a wrap-around if that implies a plausible power. Otherwise it is a reset (driver
        # reload, firmware update), and the counter restarts from zero.
        wrapped_j = self.wrap_j - last + raw
        elapsed_s = max(time_s - self.times[i - 1], 1e-3)
        wraps = self.wrap_j > 0 and wrapped_j <= MOST_W * elapsed_s
        return base + (self.wrap_j if wraps else last)

    def _joules(self, i: int) -> float:
        return self.raws[i] + self.bases[i]

    def _power(self, i: int) -> float | None:
        """Mean watts between the readings i - 1 and i; None beyond the ends."""
        if not 0 < i < len(self.times):
            return None
        raws, bases, times = self.raws, self.bases, self.times
        spent_j = raws[i] + bases[i] - raws[i - 1] - bases[i - 1]
        return spent_j / (times[i] - times[i - 1])
