"""Whether the counter of a board agrees with its power, by the checks beside its samples.

Some boards count far less than their power says: 187 J against 327 J in 5 s (ml-energy/zeus, issue
181). Which of the two is right cannot be known, so the band of such a counter holds both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from energy.ledger.intervals import without
from energy.ledger.lines import Row

if TYPE_CHECKING:
    from energy.ledger.coverage import Coverage

TOLERANCE = 0.2
"""A smaller relative difference lies within what the sensors of sound boards differ."""

LEAST_CHECKS = 4
"""With fewer checks nothing is said: about 5 s of a run with a sample a second."""

STANDARD_ERRORS = 3.0
"""The difference must exceed so many standard errors of the mean of the checks.

The power of a load that goes up and down is known badly from a few checks: a square wave of 400 and
100 W and five checks have a standard error of 67 W.
"""


@dataclass
class Check:
    """The checks of the power of one domain.

    Attributes:
        count: how many.
        sum_w: their sum.
        squares: the sum of their squares.
        first_s: moment of the sample with the first.
        last_s: moment of the sample with the last.
    """

    count: int = 0
    sum_w: float = 0.0
    squares: float = 0.0
    first_s: float = math.inf
    last_s: float = -math.inf
    _known: tuple[int, float | None] = (0, None)

    def add(self, time_s: float, watts: float) -> None:
        """Add a check."""
        self.count += 1
        self.sum_w += watts
        self.squares += watts * watts
        self.first_s, self.last_s = min(self.first_s, time_s), max(self.last_s, time_s)

    @property
    def mean_w(self) -> float:
        """Mean of the checks."""
        return self.sum_w / self.count

    @property
    def error_w(self) -> float:
        """Standard error of the mean."""
        variance = max(0.0, self.squares / self.count - self.mean_w**2)
        return math.sqrt(variance / max(1, self.count - 1))

    def disagreement(self, coverage: Coverage) -> float | None:
        """The counter's joules over those of the power, if they contradict each other.

        Args:
            coverage: what the counter tells of the time.
        """
        if self._known[0] != self.count:
            self._known = (self.count, self._disagreement(coverage))
        return self._known[1]

    def _disagreement(self, coverage: Coverage) -> float | None:
        if self.count < LEAST_CHECKS or self.mean_w <= 0:
            return None
        awake = without((self.first_s, self.last_s), coverage.track.asleep())
        counted = [coverage.between(*stretch) for stretch in awake]
        read_s = sum(share.read_s for share in counted)
        if read_s <= 0:
            return None
        counter_w = sum(share.read_j for share in counted) / read_s
        error_w = max(TOLERANCE * self.mean_w, STANDARD_ERRORS * self.error_w)
        return counter_w / self.mean_w if abs(counter_w - self.mean_w) > error_w else None


def widened(domain: Row, ratios: Iterable[float]) -> Row:
    """A domain whose band holds its counter's joules and those of its power.

    Args:
        domain: its entry in the header of a ledger.
        ratios: the counter's joules over those of the power, where they contradict each other.
            187 J / 327 J = 0.57 makes a band of 0.93 to 1.07 one of 0.93 to 1.87. A band that
            holds both already, as that of a board whose ratio was measured, stays as it is.
    """
    low, high = domain["low"], domain["high"]
    for ratio in ratios:
        if low * ratio <= 1.0 <= high * ratio:
            continue
        low = min(low, domain["low"] / max(ratio, 1.0))
        # A counter that stands still says nothing of the power, which reaches any multiple of it.
        high = max(high, domain["high"] / ratio if ratio > 0 else high)
    return {**domain, "low": low, "high": high}
