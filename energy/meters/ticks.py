"""When did a counter tick? Counters of boards move in steps of about 100 ms; here each is dated.

A reading says that the counter stands at some joules; the step to that value happened earlier. The
follower sleeps until the next step is due and then looks every few milliseconds, so each step is
dated to a few milliseconds. Once a counter has kept its rhythm, one look between two steps tells
the joules of the one before, and the rhythm its moment; only every twentieth is looked at closely,
and a counter that has left its rhythm is followed closely again. Joules at any moment are then
interpolated between dated steps, which makes windows of a second ten times sharper.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

Point = tuple[int, float]
"""A moment (monotonic ns) and the joules that the counter reached at it."""

LOOK_NS = 2_000_000
"""Between two looks near an expected step."""

CLOSE_NS = 6_000_000
"""Looks at most this far apart date a step by themselves."""

STEADY = 4
"""Steps after which the rhythm is better known than one step."""

PULL = 0.2
"""Share of a step's deviation that the rhythm follows."""

STRAY = 0.25
"""Share of a period by which a step may be off; three that are further off end the rhythm."""

SEARCH_NS = 5_000_000
"""Between two looks while the period is not known yet."""

IDLE_NS = 50_000_000
"""Between two looks at a counter that does not step when it should (an idle or lost board)."""

SURE = 10
"""Steps in a row, closely seen where the rhythm said, after which it is relied on."""

SURE_NS = 2_500_000
"""What such a step may be off: the looks around it are 2 to 3 ms apart."""

CHECK = 20
"""Steps after which one is looked at closely again; fewer while the period is known less well."""

MIDWAY = 1.5
"""Periods after a step at which one look tells the next one."""

SPARE = 0.35
"""Share of a period that such a look may come early: boards whose steps differ share a waking."""

KEPT = 1200
"""Steps kept in memory: two minutes at 100 ms, for windows that began that long ago."""


class Follower:
    """Follows the steps of one counter.

    Args:
        read: joules of the counter, None when it fails.
        now_ns: monotonic clock.

    Attributes:
        points: dated steps.
        due_ns: when to look next.
        spare_ns: how much earlier that look may come.
    """

    def __init__(self, read: Callable[[], float | None], now_ns: Callable[[], int]) -> None:
        self._read, self._now = read, now_ns
        self.points: deque[Point] = deque(maxlen=KEPT)
        self.due_ns = self.spare_ns = 0
        self._value: float | None = None
        self._looked_ns = self._widest_ns = 0
        self._period_ns = self._stray_ns = 0.0
        self._anchor_ns = self._phase_ns = self._turns = 0
        self._misses = self._strays = self._sure = self._unchecked = 0

    def hurry(self) -> None:
        """Look closely from now on: somebody waits for the next step."""
        self._sure, self.due_ns, self.spare_ns = 0, self._now(), 0

    def look(self) -> None:
        """Read once, date a step that happened since the last look, and plan the next look."""
        value, now = self._read(), self._now()
        if value is None:
            self._value, self.due_ns, self.spare_ns, self._sure = None, now + IDLE_NS, 0, 0
            return
        stepped = self._value is not None and value != self._value
        self._widest_ns = max(self._widest_ns, now - self._looked_ns)
        if stepped:
            self.points.append((self._dated(now), value))
            self._misses = self._widest_ns = 0
        else:
            self._misses += 1
            if self.spare_ns:
                self._sure = 0  # a look between two steps of the rhythm: one did not come
        self._value, self._looked_ns = value, now
        self.due_ns = self._next(now, stepped)

    def _dated(self, now: int) -> int:
        """Date a step between the last two looks, by the rhythm of the steps before it.

        The rhythm is known better than any one step, but a step lies between the looks that saw it:
        where both agree the rhythm dates it, and a look that came late (a busy machine) does no
        harm. A step that falls out of the rhythm is dated by the middle of close looks.
        """
        middle, close = (self._looked_ns + now) // 2, now - self._looked_ns <= CLOSE_NS
        if self._period_ns == 0:
            return self._searched(middle, close)
        if close:
            return self._followed(middle, now)
        # The last moment that the rhythm has a step at, if it lies between the looks.
        due = now - round((now - self._phase_ns) % self._period_ns)
        self._unchecked += 1
        if due >= self._looked_ns:
            return due
        self._sure = 0
        # Out of the rhythm: the next one came early, unless that of this turn is still to come.
        seen = self.points[-1][0] > due - self._period_ns / 2
        return now if seen else self._looked_ns

    def _searched(self, middle: int, close: bool) -> int:
        """The first two steps between which nothing can have been missed tell the period."""
        if close and self._phase_ns and self._widest_ns <= 2 * CLOSE_NS:
            self._period_ns = float(middle - self._phase_ns)
            self._anchor_ns, self._turns, self._stray_ns = self._phase_ns, 1, float(LOOK_NS)
            self._sure = self._strays = 0
        self._phase_ns = middle if close else 0
        return middle

    def _followed(self, middle: int, now: int) -> int:
        """Take up a closely seen step, and date it anew by the rhythm that it belongs to.

        The period is a mean over up to five hundred steps; the phase follows a fifth of each
        deviation, so that the 2 ms between looks blur to some 0.3 ms.
        """
        since = max(1, round((middle - self._phase_ns) / self._period_ns))
        due = self._phase_ns + since * self._period_ns
        stray = middle - due
        self._stray_ns += PULL * (abs(stray) - self._stray_ns)
        self._sure = self._sure + 1 if abs(stray) <= SURE_NS else 0
        self._unchecked = 0
        if abs(stray) > STRAY * self._period_ns:
            self._strays += 1
            if self._strays == 3:
                self._period_ns, self._phase_ns = 0.0, middle
            return middle
        self._strays = 0
        self._turns += since
        self._period_ns = (middle - self._anchor_ns) / self._turns
        kept = due + PULL * stray if self._turns >= STEADY else middle
        self._phase_ns = round(min(max(kept, self._looked_ns), now))
        if self._turns >= 500:
            self._turns = 250
            self._anchor_ns = self._phase_ns - round(self._turns * self._period_ns)
        return self._phase_ns

    def _next(self, now: int, stepped: bool) -> int:
        """When to look again; before that by `spare_ns` at most."""
        self.spare_ns = 0
        if self._misses > 100:
            return now + IDLE_NS
        if self._period_ns == 0:
            return now + SEARCH_NS
        sure = self._sure >= SURE
        look_ns = round(min(max(LOOK_NS / (2 if sure else 1), self._stray_ns / 2), SEARCH_NS))
        if not stepped:
            return now + look_ns
        last = self.points[-1][0]
        if sure and self._unchecked < min(CHECK, self._turns // STEADY):
            self.spare_ns = round(SPARE * self._period_ns)
            return round(last + MIDWAY * self._period_ns)
        early_ns = LOOK_NS if sure else look_ns + 2 * self._stray_ns
        return max(now + look_ns, round(last + self._period_ns - early_ns))


def around(points: deque[Point], moment_ns: int, wait: bool = True) -> list[Point] | None:
    """The two points before a moment and the two after it.

    Args:
        points: by time.
        moment_ns: the moment.
        wait: give None until both points after it are there.
    """
    index = len(points)
    while index and points[index - 1][0] > moment_ns:
        index -= 1
    if wait and len(points) < index + 2:
        return None
    return [points[i] for i in range(max(0, index - 2), min(len(points), index + 2))]
