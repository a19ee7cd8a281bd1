"""What every meter speaks: domains that it can read, and cumulative joules of each.

A source is probed once and read often. It never raises, writes nothing, asks no network and no
sudo; a reading that fails is None and becomes a gap in the ledger, never a zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Protocol


@dataclass(frozen=True, kw_only=True)
class Domain:
    """One thing that can be metered.

    Attributes:
        id: unique on the node: a GPU UUID, "cpu-package-0", "memory".
        kind: gpu, cpu, memory, node, ...
        boundary: chip, node, it, facility: where the meter stands.
        within: the domain whose joules hold these already; such a domain is shown, never added.
        api: the counter or formula that is read.
        method: counter, power, model or constant.
        origin: measured, modelled, assumed or missing.
        low: lower end of the 95 % systematic band, as a factor of the reading.
        high: its upper end.
        wrap_j: joules at which the raw counter starts again; 0 for never.
        tick_s: seconds between steps of the counter, or between readings of the power; 0 where
            it moves faster than anyone reads it.
        source: where the band and the constants come from.
        reason: why the domain is missing.
        fix: the command that would make it readable.
    """

    id: str
    kind: str
    boundary: str
    within: str | None = None
    api: str = ""
    method: str = "counter"
    origin: str = "measured"
    low: float = 1.0
    high: float = 1.0
    wrap_j: float = 0.0
    tick_s: float = 0.0
    source: str = ""
    reason: str = ""
    fix: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The fields, for the header of a ledger."""
        return asdict(self)


class Source(Protocol):
    """A family of meters."""

    name: str

    def counters(self) -> dict[str, Callable[[], float | None]]:
        """Readers of single counters that move in coarse steps, to be polled for their ticks."""
        ...

    def poll_s(self) -> float:
        """Seconds between the readings that an integral of power needs; 0 for none."""
        ...

    def powers(self) -> dict[str, float | None]:
        """Watts now of domains that are read by a counter, to hold the two against each other."""
        ...

    def probe(self) -> list[Domain]:
        """All domains of this family on this machine, the unreadable ones with their reason."""
        ...

    def read(self) -> dict[str, float | None]:
        """Joules since some fixed moment, by domain; None where the reading failed."""
        ...

    def close(self) -> None:
        """Give back what `probe` took."""
        ...


class Steady:
    """What sources share whose counters are fine enough to be read at the interval alone."""

    def counters(self) -> dict[str, Callable[[], float | None]]:
        """None that ticks coarsely."""
        return {}

    def poll_s(self) -> float:
        """No integral of power."""
        return 0.0

    def powers(self) -> dict[str, float | None]:
        """No second reading."""
        return {}

    def close(self) -> None:
        """Nothing is held."""


@dataclass
class Integral:
    """Joules of a power reading, each value held until the next one.

    Holding is exact for steps and never loses a constant power; a trapezoid over changes does.
    """

    joules: float = 0.0
    last_s: float | None = None
    last_w: float = 0.0

    def add(self, power_w: float | None, now_s: float) -> float | None:
        """Joules up to now; 500 W held for 2 s add 1,000 J. A failed reading is None."""
        if power_w is None:
            return None
        if self.last_s is not None:
            self.joules += self.last_w * (now_s - self.last_s)
        self.last_s, self.last_w = now_s, power_w
        return self.joules


def missing(name: str, kind: str, api: str, reason: str, fix: str = "") -> Domain:
    """A domain that exists, or should, and cannot be read."""
    return Domain(
        id=name, kind=kind, boundary="chip", origin="missing", api=api, reason=reason, fix=fix
    )
