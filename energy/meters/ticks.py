"""Dates the ticks of energy counters, which boards update about every 100 ms.

A reading shows how many joules the counter has reached, but the tick to that value happened some
time earlier. The follower sleeps until the next tick is due and then polls every few milliseconds,
so each tick is dated to within a few milliseconds. Once a counter has kept its rhythm, a single
poll between two ticks gives the joules of the earlier one, and the rhythm gives its moment. Then
only every twentieth tick is polled closely, and a counter that leaves its rhythm is followed
closely again. Joules at any moment are interpolated between dated ticks, which makes windows of a
second ten times sharper.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

Point = tuple[int, float]
"""A moment (monotonic ns) and the joules that the counter reached at that moment."""

POLL_NS = 2_000_000
"""Time between polls near an expected tick."""

CLOSE_NS = 6_000_000
"""Two polls no further apart than this date a tick between them by themselves."""

MIN_PERIODS = 4
"""Periods after which the rhythm is known better than any single tick."""

GAIN = 0.2
"""Share of a tick's deviation by which the rhythm is corrected."""

MAX_DEVIATION = 0.25
"""Share of a period by which a tick may deviate; three ticks that deviate more end the rhythm."""

SEARCH_NS = 5_000_000
"""Time between polls while the period is unknown."""

IDLE_NS = 50_000_000
"""Time between polls of a counter that does not tick when it should (an idle or lost board)."""

LOCK_TICKS = 10
"""Ticks in a row, closely polled and on time, after which the rhythm is relied on."""

LOCK_NS = 2_500_000
"""Deviation of a tick that is on time: the polls around it are 2 to 3 ms apart."""

CHECK_TICKS = 20
"""Ticks after which one is polled closely again; fewer while the period is less well known."""

MIDWAY = 1.5
"""Periods after a tick at which a single poll observes the next tick."""

SLACK = 0.35
"""Share of a period by which such a poll may come early, so that boards can share a wake-up."""

KEPT_TICKS = 1200
"""Ticks kept in memory: two minutes at 100 ms, for windows that began that long ago."""


class Follower:
    """Dates the ticks of one counter.

    Args:
        read: returns the joules of the counter, None if the reading fails.
        now_ns: monotonic clock.

    Attributes:
        points: dated ticks.
        due_ns: when to poll next.
        slack_ns: how much earlier that poll may come.
    """

    def __init__(self, read: Callable[[], float | None], now_ns: Callable[[], int]) -> None:
        self._read, self._now = read, now_ns
        self.points: deque[Point] = deque(maxlen=KEPT_TICKS)
        self.due_ns = self.slack_ns = 0
        self._value: float | None = None
        self._polled_ns = self._widest_ns = 0
        # The rhythm: the tick at _phase_ns is _periods periods after the one at _anchor_ns.
        self._period_ns = self._deviation_ns = 0.0
        self._anchor_ns = self._phase_ns = self._periods = 0
        self._misses = self._outliers = self._on_time = self._unchecked = 0

    def hurry(self) -> None:
        """Poll closely from now on, because somebody waits for the next tick."""
        self._on_time, self.due_ns, self.slack_ns = 0, self._now(), 0

    def poll(self) -> None:
        """Read once, date a tick that happened since the last poll, and schedule the next poll."""
        value, now = self._read(), self._now()
        if value is None:
            self._fail(now)
            return
        ticked = self._value is not None and value != self._value
        self._widest_ns = max(self._widest_ns, now - self._polled_ns)
        if ticked:
            self.points.append((self._dated(now), value))
            self._misses = self._widest_ns = 0
        else:
            self._misses += 1
            if self.slack_ns:
                self._on_time = 0  # this poll was due after a tick of the rhythm that did not come
        self._value, self._polled_ns = value, now
        self.due_ns = self._next(now, ticked)

    def _fail(self, now: int) -> None:
        """Schedule the poll after one that failed.

        A poll midway between two ticks dates the one that the failed poll has missed, by the
        rhythm. Without a rhythm, or after a long time, that tick is lost.
        """
        self.slack_ns = 0
        if now - self._polled_ns > CHECK_TICKS * self._period_ns:
            self._value, self._on_time, self.due_ns = None, 0, now + IDLE_NS
            return
        periods = round((now - self._phase_ns) / self._period_ns)
        self.due_ns = round(self._phase_ns + (periods + 0.5) * self._period_ns)

    def _dated(self, now: int) -> int:
        """Date a tick between the last two polls, by the rhythm of the ticks before it.

        The rhythm is known better than any single tick, but a tick lies between the polls that
        observed it. Where both agree the rhythm dates it, and a late poll (a busy machine) does no
        harm. A tick that is out of rhythm is dated by the middle of two close polls.
        """
        middle, close = (self._polled_ns + now) // 2, now - self._polled_ns <= CLOSE_NS
        if self._period_ns == 0:
            return self._search(middle, close)
        if close:
            return self._follow(middle, now)
        # The last tick that the rhythm expects, if it lies between the polls.
        due = now - round((now - self._phase_ns) % self._period_ns)
        self._unchecked += 1
        if due >= self._polled_ns:
            return due
        self._on_time = 0
        # Out of rhythm: the next tick came early, unless the one expected last is still missing.
        seen = self.points[-1][0] > due - self._period_ns / 2
        return now if seen else self._polled_ns

    def _search(self, middle: int, close: bool) -> int:
        """Take the period from the first two ticks between which no tick can have been missed."""
        if close and self._phase_ns and self._widest_ns <= 2 * CLOSE_NS:
            self._period_ns = float(middle - self._phase_ns)
            self._anchor_ns, self._periods = self._phase_ns, 1
            self._deviation_ns = float(POLL_NS)
            self._on_time = self._outliers = 0
        self._phase_ns = middle if close else 0
        return middle

    def _follow(self, middle: int, now: int) -> int:
        """Correct the rhythm by a closely polled tick, and date the tick by that rhythm.

        The period is a mean over up to five hundred ticks. The phase follows a fifth of each
        deviation, which averages the 2 ms between polls down to about 0.3 ms.
        """
        elapsed = max(1, round((middle - self._phase_ns) / self._period_ns))
        due = self._phase_ns + elapsed * self._period_ns
        deviation = middle - due
        self._deviation_ns += GAIN * (abs(deviation) - self._deviation_ns)
        self._on_time = self._on_time + 1 if abs(deviation) <= LOCK_NS else 0
        self._unchecked = 0
        if abs(deviation) > MAX_DEVIATION * self._period_ns:
            self._outliers += 1
            if self._outliers == 3:
                self._period_ns, self._phase_ns = 0.0, middle
            return middle
        self._outliers = 0
        self._periods += elapsed
        self._period_ns = (middle - self._anchor_ns) / self._periods
        phase = due + GAIN * deviation if self._periods >= MIN_PERIODS else middle
        self._phase_ns = round(min(max(phase, self._polled_ns), now))
        if self._periods >= 500:
            self._periods = 250
            self._anchor_ns = self._phase_ns - round(self._periods * self._period_ns)
        return self._phase_ns

    def _next(self, now: int, ticked: bool) -> int:
        """When to poll next; the poll may come up to `slack_ns` earlier."""
        self.slack_ns = 0
        if self._misses > 100:
            return now + IDLE_NS
        if self._period_ns == 0:
            return now + SEARCH_NS
        locked = self._on_time >= LOCK_TICKS
        poll_ns = round(min(max(POLL_NS / (2 if locked else 1), self._deviation_ns / 2), SEARCH_NS))
        if not ticked:
            return now + poll_ns
        last = self.points[-1][0]
        if locked and self._unchecked < min(CHECK_TICKS, self._periods // MIN_PERIODS):
            self.slack_ns = round(SLACK * self._period_ns)
            return round(last + MIDWAY * self._period_ns)
        early_ns = POLL_NS if locked else poll_ns + 2 * self._deviation_ns
        return max(now + poll_ns, round(last + self._period_ns - early_ns))


def around(points: deque[Point], moment_ns: int, wait: bool = True) -> list[Point] | None:
    """The two points before a moment and the two after it.

    Args:
        points: in order of time.
        moment_ns: the moment.
        wait: return None until both later points exist.
    """
    index = len(points)
    while index and points[index - 1][0] > moment_ns:
        index -= 1
    if wait and len(points) < index + 2:
        return None
    return [points[i] for i in range(max(0, index - 2), min(len(points), index + 2))]
