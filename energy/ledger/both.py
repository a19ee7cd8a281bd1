"""Joules of a domain that was read by its counter for a while, and by its power for another."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from energy.ledger.track import Break, Hole, Track

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from energy.ledger.interpolation import Floats


class Both(Track):
    """The readings of a counter, and where those tell nothing, readings of power.

    A restarted sampler may choose another way to read a device: a board whose counter disagrees
    with its power at first, or no longer answers.

    Args:
        counter: the readings of the counter.
        power: the readings of the power.
    """

    def __init__(self, counter: Track, power: Track) -> None:
        super().__init__(counter.bound, counter.hold_s)
        self.counter, self.power = counter, power

    @property
    def times(self) -> array[float]:
        """Seconds of all readings that are believed."""
        return array("d", sorted({*self.counter.times, *self.power.times}))

    @property
    def breaks(self) -> list[Break]:
        """The breaks in the readings of the counter and of the power."""
        return sorted([*self.counter.breaks, *self.power.breaks], key=lambda step: step.begin_s)

    def doubted(self) -> list[tuple[float, float]]:
        """Moments and values of readings that were set aside, or are not confirmed yet."""
        return sorted([*self.counter.doubted(), *self.power.doubted()])

    def part(self, by_power: bool) -> Track:
        """The one of the two that readings of a kind are added to."""
        return self.power if by_power else self.counter

    def _take(self, time_s: float, value: float) -> None:
        raise TypeError("expected a reading of the counter or of the power, for one of the parts")

    def settle(self) -> None:
        """Sort in the readings that came late."""
        self.counter.settle()
        self.power.settle()
        self.failed = array("d", sorted([*self.counter.failed, *self.power.failed]))

    def forget(self, until_s: float) -> None:
        """Drop the readings before a moment except the first two; totals stay as they are."""
        self.counter.forget(until_s)
        self.power.forget(until_s)

    def spent_j(self) -> float | None:
        """Joules from the first reading to the last; None without readings."""
        times = self.times
        return (self.at(times[-1]) or 0.0) - (self.at(times[0]) or 0.0) if times else None

    def at_each(self, moments: ArrayLike) -> Floats:
        """Joules at moments."""
        joules, by_power = self.counter.at_each(moments), self.power.at_each(moments)
        if not self.counter.times or not self.power.times:
            return joules + by_power
        first_s, last_s = self.power.times[0], self.power.times[-1]
        for hole in self.counter.holes(first_s, last_s):
            edges = self.power.at_each([hole.begin_s, hole.end_s])
            joules = joules + by_power.clip(*edges) - edges[0]
        return joules

    def holes(self, start_s: float, stop_s: float) -> list[Hole]:
        """The stretches between two moments that no reading tells, in order of time."""
        self.settle()
        return [
            Hole(
                part.begin_s,
                part.end_s,
                hole.before_w if part.begin_s == hole.begin_s else part.before_w,
                hole.after_w if part.end_s == hole.end_s else part.after_w,
                hole.why or part.why,
            )
            for hole in self.counter.holes(start_s, stop_s)
            for part in self.power.holes(hole.begin_s, hole.end_s)
        ]
