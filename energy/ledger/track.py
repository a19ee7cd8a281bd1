"""The readings of one domain in order of time, and the joules between them.

A `Curve` is read as cumulative joules, a `PowerTrack` as watts. Both keep the readings that can be
true, and know the stretches of time of which no reading tells the joules.
"""

from __future__ import annotations

import bisect
import math
from abc import ABC, abstractmethod
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

from energy.ledger.intervals import Interval, union
from energy.ledger.plausible import Bound

if TYPE_CHECKING:  # numpy is loaded when joules are computed, not when a run starts
    from numpy.typing import ArrayLike

    from energy.ledger.interpolation import Floats, Readings

SAME_S = 1e-5
"""Readings closer than this are the same reading, because samples give ages in microseconds.

A second point would add a stretch without power, which `at` would take for a change of load.
"""

KEPT_FIRST = 2
"""First readings of a curve that are never forgotten, because all joules count from them."""

LATE_READINGS = 512
"""Late readings that are collected before they are sorted in."""


@dataclass(frozen=True)
class Hole:
    """A stretch of time without readings.

    Attributes:
        begin_s: where the readings before it end.
        end_s: where the readings after it begin.
        before_w: power just before it; None if that is not known.
        after_w: power just after it.
        why: what the readings themselves say about its cause; may be empty.
    """

    begin_s: float
    end_s: float
    before_w: float | None
    after_w: float | None
    why: str


@dataclass(frozen=True)
class Known:
    """A stretch of time whose joules the readings tell.

    Attributes:
        begin_s: moment of its first reading.
        end_s: where the readings end.
        last_w: power at its end.
    """

    begin_s: float
    end_s: float
    last_w: float


@dataclass(frozen=True)
class Break:
    """Two readings that do not tell the time between them.

    Attributes:
        begin_s: moment of the first.
        end_s: moment of the second.
        before: what the meter showed first.
        after: what it showed then.
        why: why the time between is not known.
    """

    begin_s: float
    end_s: float
    before: float
    after: float
    why: str


class Track(ABC):
    """The readings of one domain in order of time, and the joules between them.

    A day of samples takes 2 MB: three plain arrays in order of time.

    Args:
        bound: what the device can draw.
        hold_s: two readings that are further apart than this do not tell the time between them.

    Attributes:
        bound: what the device can draw.
        failed: seconds of readings that failed.
        aside: seconds and values of readings that cannot be true.
    """

    def __init__(self, bound: Bound, hold_s: float = math.inf) -> None:
        self.bound, self.hold_s = bound, hold_s
        self.failed: array[float] = array("d")
        self.aside: list[tuple[float, float]] = []
        self._times: array[float] = array("d")
        self._raws: array[float] = array("d")
        self._joules: array[float] = array("d")
        self._breaks: dict[int, str] = {}
        self._pending: list[tuple[float, float]] = []
        self._last_s = -math.inf
        self._late: list[tuple[float, float]] = []
        self._patience = LATE_READINGS
        # So many of the first readings are never sorted again, because some between them are gone.
        self._fixed = 0

    @property
    def unread(self) -> int:
        """How many readings failed."""
        return len(self.failed)

    @property
    def times(self) -> array[float]:
        """Seconds of the readings that are believed."""
        self.settle()
        return self._times

    @property
    def raws(self) -> array[float]:
        """What the meter showed at these moments: joules or watts."""
        self.settle()
        return self._raws

    @property
    def breaks(self) -> list[Break]:
        """Between which readings nothing is known, and why."""
        self.settle()
        times, raws = self._times, self._raws
        return [
            Break(times[i - 1], times[i], raws[i - 1], raws[i], why)
            for i, why in self._breaks.items()
        ]

    def doubted(self) -> list[tuple[float, float]]:
        """Moments and values of readings that were set aside, or are not confirmed yet."""
        self.settle()
        return sorted([*self.aside, *self._pending])

    def part(self, by_power: bool) -> Track:
        """The track of readings of power, or of all others: this one, if it has only one kind."""
        return self

    def add(self, time_s: float, value: float | None) -> None:
        """Add a reading. Readings may come late, and the same reading may come twice."""
        if value is None:
            self.failed.append(time_s)
        elif time_s >= self._last_s + SAME_S:
            self._last_s = time_s
            self._take(time_s, value)
        elif time_s <= self._last_s - SAME_S and not self._is_fixed(time_s):
            self._late.append((time_s, value))
            if len(self._late) >= self._patience:
                self.settle()

    def settle(self) -> None:
        """Sort in the readings that came late."""
        if not self._late:
            return
        late = sorted(self._late)
        self._late.clear()
        again = sorted([*self._rewind(late[0][0]), *late])
        self._last_s = self._times[-1] if self._times else -math.inf
        for time_s, value in again:
            if time_s >= self._last_s + SAME_S:
                self._last_s = time_s
                self._take(time_s, value)
        self._patience = max(LATE_READINGS, len(again) // 4)

    def forget(self, until_s: float) -> None:
        """Drop the readings before a moment except the first two; totals stay as they are."""
        self.settle()
        stop = bisect.bisect_left(self._times, until_s)
        kept = {*range(min(stop, KEPT_FIRST)), *range(stop, len(self._times))}
        for i in self._breaks:
            kept |= {k for k in range(i - 2, i + 2) if 0 <= k < len(self._times)}
        if len(kept) < len(self._times):
            order = sorted(kept)
            places = {old: new for new, old in enumerate(order)}
            self._fixed = min(len(order), bisect.bisect_left(order, stop) + 1)
            self._breaks = {places[i]: why for i, why in self._breaks.items()}
            self._times, self._raws, self._joules = (
                array("d", [column[i] for i in order])
                for column in (self._times, self._raws, self._joules)
            )
        del self.failed[: bisect.bisect_left(self.failed, until_s)]

    def spent_j(self) -> float | None:
        """Joules from the first reading to the last; None without readings."""
        self.settle()
        return self._joules[-1] - self._joules[0] if self._times else None

    def at(self, time_s: float) -> float | None:
        """Joules at a moment, counted from the first reading; None without readings."""
        return float(self.at_each([time_s])[0]) if self.times else None

    def at_each(self, moments: ArrayLike) -> Floats:
        """Joules at moments, counted from the first reading, as `interpolation.joules_at`."""
        import numpy as np

        from energy.ledger.interpolation import joules_at

        return joules_at(self.readings(), np.asarray(moments, dtype=float))

    def readings(self) -> Readings:
        """The readings that are believed, as arrays; no reading can be added while they exist."""
        import numpy as np

        from energy.ledger.interpolation import Readings

        self.settle()
        times, values, joules = map(np.asarray, (self._times, self._raws, self._joules))
        return Readings(times, values, joules, np.array(sorted(self._breaks), dtype=np.intp))

    def known(self) -> list[Known]:
        """The stretches of time whose joules the readings tell, in order of time."""
        self.settle()
        if not self._times:
            return []
        breaks = sorted(self._breaks)
        ends = [(i - 1, self._reach_s(i - 1)) for i in breaks]
        ends.append((len(self._times) - 1, self._times[-1]))
        return [
            Known(self._times[first], end_s, self._last_power(last) or 0.0)
            for first, (last, end_s) in zip([0, *breaks], ends, strict=True)
        ]

    def holes(self, start_s: float, stop_s: float) -> list[Hole]:
        """The stretches between two moments that no reading tells, in order of time."""
        self.settle()
        times = self._times
        if not times:
            return [Hole(start_s, stop_s, None, None, "")] if start_s < stop_s else []
        inner = [
            (self._reach_s(i - 1), times[i], self._last_power(i - 1), self._next_power(i), why)
            for i, why in self._breaks.items()
        ]
        last = len(times) - 1
        edges = [
            (-math.inf, times[0], None, self._next_power(0), ""),
            *inner,
            (times[last], math.inf, self._last_power(last), None, ""),
        ]
        holes: list[Hole] = []
        for begin_s, end_s, before_w, after_w, why in edges:
            begin_s, end_s = max(begin_s, start_s), min(end_s, stop_s)
            if holes and begin_s <= holes[-1].end_s and begin_s < end_s:
                # A single reading between two breaks tells nothing.
                first = holes.pop()
                begin_s, before_w, why = first.begin_s, first.before_w, first.why or why
            if begin_s < end_s:
                holes.append(Hole(begin_s, end_s, before_w, after_w, why))
        return holes

    def asleep(self) -> list[Interval]:
        """Stretches between two readings in which the machine slept, in order of time.

        A counter goes on meanwhile, in no monotonic time: its joules there compare with no power.
        """
        times, asleep = self.times, []
        for begin_s, end_s in self.bound.sleeps.stretches():
            before, after = (
                bisect.bisect_right(times, begin_s) - 1,
                bisect.bisect_left(times, end_s),
            )
            first_s = times[before] if before >= 0 else begin_s
            asleep.append((first_s, times[after] if after < len(times) else math.inf))
        return union(asleep)

    def _is_fixed(self, time_s: float) -> bool:
        """Whether a reading is too old to be sorted in."""
        return self._fixed > 0 and time_s <= self._times[self._fixed - 1]

    @abstractmethod
    def _take(self, time_s: float, value: float) -> None:
        """Take the next reading in order of time."""

    def _reach_s(self, i: int) -> float:
        """The moment to which reading i tells the joules before a break."""
        return self._times[i]

    def _last_power(self, i: int) -> float | None:
        """Watts just before reading i; None if that is not known."""
        return self._power(i)

    def _next_power(self, i: int) -> float | None:
        """Watts just after reading i; None if that is not known."""
        return self._power(i + 1)

    def _power(self, i: int) -> float | None:
        """Mean watts between the readings i - 1 and i; None beyond the ends and across a break."""
        if not 0 < i < len(self._times) or i in self._breaks:
            return None
        spent_j = self._joules[i] - self._joules[i - 1]
        return spent_j / (self._times[i] - self._times[i - 1])

    def _append(self, time_s: float, value: float, joules: float, why: str = "") -> None:
        """Believe a reading; with a cause, nothing is known of the time before it."""
        if why:
            self._breaks[len(self._times)] = why
        self._times.append(time_s)
        self._raws.append(value)
        self._joules.append(joules)

    def _cut(self, keep: int) -> list[tuple[float, float]]:
        """Take back the readings from an index on."""
        cut = list(zip(self._times[keep:], self._raws[keep:], strict=True))
        for column in (self._times, self._raws, self._joules):
            del column[keep:]
        while self._breaks and next(reversed(self._breaks)) >= keep:
            self._breaks.popitem()
        return cut

    def _rewind(self, time_s: float) -> list[tuple[float, float]]:
        """Take back all readings since a moment, and return them."""
        keep = max(self._fixed, bisect.bisect_left(self._times, time_s) - 1)
        for i in reversed(self._breaks):
            if keep - 3 < i <= keep + 1:
                # What confirmed this break may lie after the moment.
                keep = max(self._fixed, i - 1)
        again = [*self._cut(keep), *self._pending]
        from_s = self._times[-1] if self._times else -math.inf
        again += [reading for reading in self.aside if reading[0] > from_s]
        self.aside = [reading for reading in self.aside if reading[0] <= from_s]
        self._pending = []
        return again
