"""Joules over time, from readings of a raw cumulative counter that may turn, restart or lie.

A reading that cannot follow the one before it is not believed until others confirm it. If they
continue where the counter was, it is set aside: a dip or a spike. If they continue from it, the
counter was reset or jumped, and nothing is known of the time between.
"""

from __future__ import annotations

import bisect
import math

from energy.ledger.plausible import Bound
from energy.ledger.track import Track

RETURN_S = 60.0
"""How long a counter may show something else before it continues where it was."""

KEPT_PENDING = 16
"""Readings that wait for a confirmation; of more, the middle ones are set aside."""

RESET, JUMP = "the counter was reset", "the counter jumped"
TURNS = "the counter may have turned more than once"
RESTARTED = "the sampler was started again"
STOPPED = "the sampler stood still"
STILL = "the counter stood still"
"""Why nothing is known of the time between two readings."""


class Curve(Track):
    """Joules of one domain over time, from a raw counter.

    Args:
        wrap_j: joules at which the counter turns; 0 if a fall is always a reset.
        bound: what the device can draw, which includes `wrap_j`.
        hold_s: see `Track`; only a sum in the memory of the sampler has such a limit.
    """

    def __init__(
        self, wrap_j: float = 0.0, bound: Bound | None = None, hold_s: float = math.inf
    ) -> None:
        super().__init__(bound or Bound(wrap_j=wrap_j), hold_s)
        self._restarts: list[float] = []

    def restart(self, time_s: float) -> None:
        """Note that the readings from a moment on begin a new sum."""
        bisect.insort(self._restarts, time_s)

    def _take(self, time_s: float, value: float) -> None:
        if not self._times:
            self._append(time_s, value, 0.0)
            return
        if self._begins_anew(time_s):
            self._set_aside(self._pending)
            self._append(time_s, value, self._joules[-1], RESTARTED)
            return
        last_s, last = self._times[-1], self._raws[-1]
        rise = self.bound.rise_j(last_s, last, time_s, value)
        if rise is not None and not (self._pending and self._was_reset(time_s, value)):
            # A first number that only repeats proves nothing against what came between.
            if rise > 0 or self._has_counted():
                self._set_aside(self._pending)
            if rise == 0 and self._stands_still(time_s, value):
                return
            if self.bound.wrap_j and self.bound.turns_unknown(last_s, time_s, rise):
                self._append(time_s, value, self._joules[-1], TURNS)
            elif time_s - last_s > self.hold_s:
                self._append(time_s, value, self._joules[-1], STOPPED)
            elif self._stood_still(time_s, rise):
                self._append(time_s, value, self._joules[-1], STILL)
            else:
                self._append(time_s, value, self._joules[-1] + rise)
        elif not (self._returned(time_s, value) or self._ends_spike(time_s, value)):
            self._pending.append((time_s, value))
            self._confirm()

    def _has_counted(self) -> bool:
        """Whether the counter has risen since its first reading, or was reset."""
        return bool(self._breaks) or self._joules[-1] > 0

    def _stands_still(self, time_s: float, value: float) -> bool:
        """Set aside a reading, and those before it, of a counter that does not count any more."""
        first = len(self._times) - 1
        while first > self._fixed and self._raws[first - 1] == value and first not in self._breaks:
            first -= 1
        if not self.bound.stands_still(self._times[first], time_s):
            return False
        self._set_aside([*self._cut(first + 1), (time_s, value)])
        return True

    def _stood_still(self, time_s: float, rise: float) -> bool:
        """Whether a counter that had stopped goes on, and does not catch up what it missed."""
        if not (self.bound.never_zero and self.aside):
            return False
        still_s, value = self.aside[-1]
        repeated = still_s > self._times[-1] and value == self._raws[-1]
        return repeated and rise <= self.bound.most_j(still_s, time_s)

    def _begins_anew(self, time_s: float) -> bool:
        """Whether a new sum began since the last reading."""
        if not self._restarts:
            return False
        begun = bisect.bisect_right(self._restarts, time_s)
        return begun > bisect.bisect_right(self._restarts, self._times[-1])

    def _set_aside(self, readings: list[tuple[float, float]]) -> None:
        """Set readings aside for good, and empty their list."""
        self.aside += readings
        readings.clear()

    def _was_reset(self, time_s: float, value: float) -> bool:
        """Whether the waiting readings are a reset although the counter continues where it was.

        Shortly after a reset of a counter that had counted little, both are possible. Then the one
        counts whose power is nearer to the power before. 300 W, readings 200 J, 5 J, 305 J, one a
        second: a reset, because 52 W would be a dip.
        """
        first_s, first = self._pending[0]
        last_s, last = self._times[-1], self._raws[-1]
        if not 0 <= first <= min(last / 2, self.bound.most_j(last_s, first_s)):
            return False
        rise = self.bound.rise_j(first_s, first, time_s, value)
        before_w = self._power(len(self._times) - 1)
        if rise is None or before_w is None:
            return False
        as_reset_w, as_dip_w = rise / (time_s - first_s), (value - last) / (time_s - last_s)
        return abs(as_reset_w - before_w) < abs(as_dip_w - before_w)

    def _returned(self, time_s: float, value: float) -> bool:
        """Believe a reading that continues from before a reset or jump, which was none then."""
        for i in reversed(self._breaks):
            if self._breaks[i] not in (RESET, JUMP) or time_s - self._times[i - 1] > RETURN_S:
                break
            rise = self.bound.rise_j(self._times[i - 1], self._raws[i - 1], time_s, value)
            if rise is not None:
                self._set_aside(self._pending)
                self._set_aside(self._cut(i))
                self._append(time_s, value, self._joules[-1] + rise)
                return True
        return False

    def _confirm(self) -> None:
        """Believe the waiting readings if the last one rises from an earlier one as a counter does.

        Values that repeat prove nothing: a meter that fails may show one number again and again.
        """
        *earlier, (time_s, value) = self._pending
        for number, (start_s, start) in enumerate(earlier):
            if not self.bound.rise_j(start_s, start, time_s, value):
                continue
            chain = [(start_s, start)]
            for reading in earlier[number + 1 :]:
                if self._follows(chain[-1], reading) and self._follows(reading, (time_s, value)):
                    chain.append(reading)
            chain.append((time_s, value))
            self._set_aside([reading for reading in self._pending if reading not in chain])
            self._pending = []
            self._begin(chain)
            return
        if len(self._pending) > KEPT_PENDING:
            middle = KEPT_PENDING // 2
            self._set_aside([self._pending.pop(middle)])

    def _follows(self, first: tuple[float, float], second: tuple[float, float]) -> bool:
        return self.bound.rise_j(*first, *second) is not None

    def _begin(self, chain: list[tuple[float, float]]) -> None:
        """Continue with readings that start anew; a first reading that nothing confirmed goes."""
        if not self._has_counted():
            self._set_aside(self._cut(self._fixed))
        self._drop_stale(chain[0])
        self._drop_spike(chain[0])
        why = ""
        if self._times:
            follows = self._follows((self._times[-1], self._raws[-1]), chain[0])
            why = "" if follows else RESET if chain[0][1] < self._raws[-1] else JUMP
        joules = self._joules[-1] if self._joules else 0.0
        (start_s, start), *rest = chain
        if self._times and not why:
            joules += self.bound.rise_j(self._times[-1], self._raws[-1], start_s, start) or 0.0
        self._append(start_s, start, joules, why)
        last_s, last = start_s, start
        for time_s, value in rest:
            joules += self.bound.rise_j(last_s, last, time_s, value) or 0.0
            self._append(time_s, value, joules)
            last_s, last = time_s, value

    def _drop_stale(self, reading: tuple[float, float]) -> None:
        """Set aside the repetitions of a counter that stood still and then caught up."""
        first = len(self._times) - 1
        while first > self._fixed and self._raws[first - 1] == self._raws[first]:
            if first in self._breaks:
                return
            first -= 1
        if 0 <= first < len(self._times) - 1:
            since = (self._times[first], self._raws[first])
            if reading[1] > since[1] and self._follows(since, reading):
                self._set_aside(self._cut(first + 1))

    def _drop_spike(self, reading: tuple[float, float]) -> None:
        """Set aside readings that a counter returns from without being reset."""
        first = self._before_spike(reading)
        if first is not None:
            self._set_aside(self._cut(first + 1))

    def _ends_spike(self, time_s: float, value: float) -> bool:
        """Believe a reading that continues from before some that are above it.

        It may be a dip as well, and it may be the last. The one counts whose power is nearer to the
        power before. 300 W, readings 300 J, 1,000 J, 900 J, one a second: a spike of 1,000 J.
        """
        first = self._before_spike((time_s, value))
        before_w = None if first is None else self._power(first)
        if first is None or before_w is None:
            return False
        since_s, since = self._times[first], self._raws[first]
        as_spike_w = (value - since) / (time_s - since_s)
        as_dip_w = (self._raws[-1] - since) / (self._times[-1] - since_s)
        if abs(as_dip_w - before_w) <= abs(as_spike_w - before_w):
            return False
        self._set_aside(self._pending)
        self._set_aside(self._cut(first + 1))
        self._append(time_s, value, self._joules[-1] + value - since)
        return True

    def _before_spike(self, reading: tuple[float, float]) -> int | None:
        """The last reading from which one continues that is below those between; None without.

        They could be true by themselves. But a counter that was reset begins near 0, and this one
        shows more than the device can have spent since; it continues from before them.
        """
        last = len(self._times) - 1
        if last < 0 or not self.bound.most_j(self._times[last], reading[0]) < reading[1]:
            return None
        first = last
        while first > self._fixed and self._raws[first] > reading[1]:
            if first in self._breaks or reading[0] - self._times[first] > RETURN_S:
                return None
            first -= 1
        follows = self._follows((self._times[first], self._raws[first]), reading)
        return first if first < last and follows else None
