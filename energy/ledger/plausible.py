"""What a meter can truly show: one bound for every rise, fall and power of a domain.

The bound is what the device can draw: its own limit where the meter knows it, else the default of
its kind in meter_limits.csv. Readings outside of it are set aside by `energy.ledger.curve`.
"""

from __future__ import annotations

import bisect
import functools
import math
from dataclasses import dataclass, field

from energy.ledger.lines import Row
from energy.meters.files import fact_rows

MARGIN = 1.5
"""A mean power up to this many times the limit is believed: devices exceed it for milliseconds."""

LATE_S = 0.1
"""How late a busy machine may date a reading, for counters without coarse ticks."""

STILL_S, STILL_TICKS = 3.0, 30
"""A counter may repeat a value for so long, or for so many ticks if those take longer."""

ANY_W = 20_000.0
"""No single domain draws more: a node of eight accelerators is rated at 10 to 14 kW."""


@functools.cache
def default_limits() -> dict[str, float]:
    """Most watts of a domain by its kind, where the meter does not know the device's own limit."""
    return {row["kind"]: float(row["limit_w"]) for row in fact_rows("meter_limits.csv")}


@functools.cache
def always_on() -> frozenset[str]:
    """Kinds of what draws power as long as our sampler runs: 0 W is a fault of the meter."""
    rows = fact_rows("meter_limits.csv")
    return frozenset(row["kind"] for row in rows if row["never_zero"] == "yes")


def limit_of(domain: Row) -> float:
    """Most watts that a domain of a ledger's header can draw.

    A formula is not a device: its joules are bounded by the greatest limit of all.
    """
    if domain.get("limit_w"):
        return float(domain["limit_w"])
    if domain.get("method") in ("model", "constant"):
        return ANY_W
    return default_limits().get(str(domain.get("kind")), ANY_W)


def turn_s(domain: Row) -> float:
    """Seconds that a counter takes at least for one turn; infinite if it never turns.

    Example: 65.7 kJ at 1.5 x 500 W: 87.6 s.
    """
    wrap_j = float(domain.get("wrap_j") or 0.0)
    return wrap_j / (MARGIN * limit_of(domain)) - LATE_S if wrap_j else math.inf


@dataclass
class Sleeps:
    """When the machine slept: monotonic time stands still then, and counters may go on.

    Attributes:
        moments: monotonic seconds at which the end of each sleep was noticed, ascending.
        early_s: how much earlier, in monotonic time, the machine may have slept.
        asleep_s: duration of each sleep.
    """

    moments: list[float] = field(default_factory=list)
    early_s: list[float] = field(default_factory=list)
    asleep_s: list[float] = field(default_factory=list)

    def add(self, moment_s: float, early_s: float, asleep_s: float) -> None:
        """Add a sleep; the same sleep may be added twice."""
        i = bisect.bisect_left(self.moments, moment_s)
        if moment_s not in self.moments[i : i + 1]:
            self.moments.insert(i, moment_s)
            self.early_s.insert(i, early_s)
            self.asleep_s.insert(i, asleep_s)

    def stretches(self) -> list[tuple[float, float]]:
        """The stretches of monotonic time at some moment of which the machine slept."""
        return [
            (moment - early, moment)
            for moment, early in zip(self.moments, self.early_s, strict=True)
        ]

    def between(self, start_s: float, stop_s: float) -> float:
        """Seconds that the machine may have slept between two moments."""
        total_s = 0.0
        for i in range(bisect.bisect_right(self.moments, start_s), len(self.moments)):
            if self.moments[i] - self.early_s[i] > stop_s:
                break
            total_s += self.asleep_s[i]
        return total_s


@dataclass
class Bound:
    """Which steps of a cumulative counter, and which powers, can be true.

    Attributes:
        limit_w: most watts of the device.
        wrap_j: joules at which the counter turns; 0 if it never does.
        tick_s: seconds between updates of the counter.
        sleeps: when the machine slept.
        limit_known: whether the limit is that of the device or its kind; without it no number of
            turns can be ruled out, and the smallest is taken.
        never_zero: whether the device always draws something.
    """

    limit_w: float = ANY_W
    wrap_j: float = 0.0
    tick_s: float = 0.0
    sleeps: Sleeps = field(default_factory=Sleeps)
    limit_known: bool = False
    never_zero: bool = False

    @classmethod
    def of(cls, domain: Row, sleeps: Sleeps) -> Bound:
        """The bound of a domain of a ledger's header."""
        return cls(
            limit_w=limit_of(domain),
            wrap_j=float(domain.get("wrap_j") or 0.0),
            tick_s=float(domain.get("tick_s") or 0.0),
            sleeps=sleeps,
            limit_known=True,
            # The counter of a node may stand still for long: some count whole kilowatt-hours.
            never_zero=bool(domain.get("never_zero"))
            or (domain.get("method") == "power" and domain.get("kind") in always_on()),
        )

    def most_j(self, start_s: float, stop_s: float) -> float:
        """Most joules between two readings of a counter.

        Example: 700 W, a tick of 0.1 s, readings 1 s apart: 1,155 J.
        """
        seconds = stop_s - start_s + max(self.tick_s, LATE_S)
        if self.sleeps.moments:
            seconds += self.sleeps.between(start_s, stop_s)
        return MARGIN * self.limit_w * seconds

    def rise_j(self, start_s: float, raw: float, stop_s: float, later: float) -> float | None:
        """Joules between two readings of a counter; None if the device cannot have spent them."""
        rise = later - raw
        if rise < 0 < self.wrap_j:
            rise += self.wrap_j
        return rise if 0 <= rise <= self.most_j(start_s, stop_s) else None

    def turns_unknown(self, start_s: float, stop_s: float, rise_j: float) -> bool:
        """Whether the counter may have turned once more than its readings show.

        Only waking time counts: a processor that sleeps draws next to nothing.
        """
        if not self.wrap_j or not self.limit_known:
            return False
        most_j = MARGIN * self.limit_w * (stop_s - start_s + max(self.tick_s, LATE_S))
        return rise_j + self.wrap_j <= most_j

    def stands_still(self, start_s: float, stop_s: float) -> bool:
        """Whether equal readings at two moments show that a counter has stopped counting."""
        longest_s = max(STILL_S, STILL_TICKS * self.tick_s)
        return self.never_zero and stop_s - start_s > longest_s

    def allows_w(self, power_w: float) -> bool:
        """Whether a device can draw this power; no infinite or undefined number passes."""
        if self.never_zero and power_w == 0:
            return False
        return 0 <= power_w <= MARGIN * self.limit_w
