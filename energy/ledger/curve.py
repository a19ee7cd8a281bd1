"""Joules against time, from readings of a raw cumulative counter that may turn, reset or fail."""

from __future__ import annotations

import bisect
from array import array
from dataclasses import dataclass, field

MOST_W = 20_000.0
"""No single domain draws more: a node of eight accelerators is rated 10 to 14 kW."""


STEP = 0.1
"""Share of the greater power by which two stretches differ much."""


SAME_S = 1e-5
"""Readings closer than this are one reading told twice: samples tell a step's age in microseconds.
A second point would be a stretch without power, which `at` would take for a change of load."""


DATED_S = 0.002
"""How well a reading is dated."""


KEPT_FIRST = 2
"""Readings at the start of a curve that stay when it forgets: what it is counted from."""


@dataclass
class Curve:
    """Joules of one domain against time, from raw counters that may turn, reset or fail.

    A day of samples is 2 MB: three plain arrays, by time.

    Attributes:
        wrap_j: joules at which the counter starts again; 0 where a fall is a reset.
        unread: readings that failed.
        times: seconds of the readings.
        raws: joules that the counter showed.
        bases: joules lost to turns before.
    """

    wrap_j: float = 0.0
    unread: int = 0
    times: array[float] = field(default_factory=lambda: array("d"))
    raws: array[float] = field(default_factory=lambda: array("d"))
    bases: array[float] = field(default_factory=lambda: array("d"))

    def add(self, time_s: float, raw: float | None) -> None:
        """Take up a reading; readings may come late, and the same one twice."""
        if raw is None:
            self.unread += 1
            return
        i = bisect.bisect_left(self.times, time_s)
        if any(abs(moment - time_s) < SAME_S for moment in self.times[max(0, i - 1) : i + 1]):
            return
        base = self._base(i, time_s, raw)
        for kept, value in ((self.times, time_s), (self.raws, raw), (self.bases, base)):
            kept.insert(i, value)
        for k in range(i + 1, len(self.times)):
            # What came late may turn the readings behind it into a fall, or out of one.
            again = self._base(k, self.times[k], self.raws[k])
            if again == self.bases[k]:
                break
            self.bases[k] = again

    def _base(self, i: int, time_s: float, raw: float) -> float:
        """Joules lost to turns before a reading that stands, or is to stand, at place i."""
        if i == 0:
            return 0.0
        last, base = self.raws[i - 1], self.bases[i - 1]
        if raw >= last:
            return base
        # A fall is a turn of the counter where that implies a power that can be, else a reset
        # (driver reload, other firmware): it starts again from zero.
        turned = self.wrap_j - last + raw
        fits = self.wrap_j > 0 and turned <= MOST_W * max(time_s - self.times[i - 1], 1e-3)
        return base + (self.wrap_j if fits else last)

    def forget(self, until_s: float) -> None:
        """Drop the readings before a moment but the first; what comes later counts on."""
        stop = bisect.bisect_left(self.times, until_s)
        for kept in (self.times, self.raws, self.bases):
            del kept[KEPT_FIRST:stop]

    def _joules(self, i: int) -> float:
        return self.raws[i] + self.bases[i]

    def spent_j(self) -> float | None:
        """Joules from the first reading to the last; None without one."""
        return self._joules(-1) - self._joules(0) if self.times else None

    def at(self, time_s: float) -> float | None:
        """Joules at a moment, interpolated between the readings around it.

        Power is taken as even between two readings; where it differs much before and after and
        lies between them inside, as one step (what a device does when work begins or ends).
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
        # Power fell or rose once in this stretch; its mean tells when.
        step_s = dt * (here - after) / (before - after)
        return start_j + before * min(past_s, step_s) + after * max(0.0, past_s - step_s)

    def _power(self, i: int) -> float | None:
        """Mean watts between the readings i - 1 and i; None beyond the ends."""
        if not 0 < i < len(self.times):
            return None
        raws, bases, times = self.raws, self.bases, self.times
        spent_j = raws[i] + bases[i] - raws[i - 1] - bases[i - 1]
        return spent_j / (times[i] - times[i - 1])

    def doubt(self, time_s: float) -> float:
        """Joules by which `at` may be off: one step of power anywhere between two readings.

        Interpolation over a stretch dt is off by dt/4 x the step at most. The step is taken as the
        spread of the mean powers of the stretch and its neighbours. 300 W, 0.1 s: 7.5 J.
        """
        i = bisect.bisect_left(self.times, time_s)
        if not 0 < i < len(self.times):
            return 0.0
        around = [self._power(k) for k in (i - 1, i, i + 1)]
        powers = [power for power in around if power is not None]
        dt = self.times[i] - self.times[i - 1]
        return dt / 4 * (max(powers) - min(powers)) + DATED_S * max(powers)
