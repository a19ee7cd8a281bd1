"""Joules of meters that are read directly, for `energy watch` and `energy doctor`."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from energy.ledger.curve import Curve
from energy.ledger.plausible import Bound, Sleeps
from energy.meters.base import Domain, Source


def curves_of(domains: Iterable[Domain]) -> dict[str, Curve]:
    """A curve for the joules of each domain against time, by its name; still without readings."""
    return {domain.id: Curve(bound=Bound.of(domain.as_dict(), Sleeps())) for domain in domains}


@dataclass
class Integral:
    """Joules of a power, where each reading counts until the next.

    This is exact for steps and for constant power; a trapezoid would smear every step.
    """

    joules: float = 0.0
    last_s: float | None = None
    last_w: float = 0.0

    def add(self, power_w: float | None, now_s: float) -> float | None:
        """Add a reading and return the joules so far; a failed reading gives None.

        Example: 500 W for 2 s add 1,000 J.
        """
        if power_w is None:
            return None
        if self.last_s is not None:
            self.joules += self.last_w * (now_s - self.last_s)
        self.last_s, self.last_w = now_s, power_w
        return self.joules


class Readings:
    """Reads a source as if every domain had a cumulative counter.

    Args:
        source: a source that has been probed.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self._integrals: dict[str, Integral] = {}

    def joules(self) -> dict[str, float | None]:
        """Joules of every domain that has a new reading; None where it failed."""
        joules = self.source.read()
        for name, power_w in self.source.watts().items():
            integral = self._integrals.setdefault(name, Integral())
            joules[name] = integral.add(power_w, time.monotonic())
        return joules
