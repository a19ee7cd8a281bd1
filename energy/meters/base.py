"""The interface of a meter: which domains it can read, and the cumulative joules of each.

A source is probed once and read often. Reading never raises, writes nothing, and needs neither the
network nor sudo. A failed reading is None and becomes a gap in the ledger, never a zero.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, kw_only=True)
class Domain:
    """One thing that can be metered.

    Attributes:
        id: unique on the node: a GPU UUID, "cpu-package-0", "memory".
        kind: gpu, cpu, memory, node, ...
        boundary: where the meter stands: chip, node, it or facility.
        within: the domain whose joules include these; such a domain is shown but never added.
        api: the counter or formula that is read.
        method: counter, power, model or constant.
        origin: measured, modelled, assumed or missing.
        low: lower end of the 95 % systematic band, as a factor of the reading.
        high: upper end of that band.
        wrap_j: joules at which the raw counter wraps around; 0 if it never does.
        tick_s: seconds between updates of the counter, or between readings of the power; 0 if the
            counter updates faster than it is read.
        lag_s: seconds by which a reading trails the truth: the sensor's delay and its averaging
            window.
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
    lag_s: float = 0.0
    source: str = ""
    reason: str = ""
    fix: str = ""

    def as_dict(self) -> dict[str, Any]:
        """All fields, as they are written to the header of a ledger."""
        return asdict(self)


class Source(Protocol):
    """A family of meters."""

    name: str

    def counters(self) -> dict[str, Callable[[], float | None]]:
        """Readers of single counters that update in coarse ticks and must be polled for them."""
        ...

    def poll_s(self) -> float:
        """Seconds between the readings that an integral of power needs; 0 if there is none."""
        ...

    def powers(self) -> dict[str, float | None]:
        """Present watts of domains that are read by a counter, as a check on the counter."""
        ...

    def dated_ns(self) -> int:
        """Monotonic ns of the last reading, if the source itself took the moment; else 0."""
        ...

    def probe(self) -> list[Domain]:
        """All domains of this family on this machine; unreadable ones carry a reason."""
        ...

    def read(self) -> dict[str, float | None]:
        """Joules since a fixed moment, by domain; None where the reading failed."""
        ...

    def close(self) -> None:
        """Release what `probe` acquired."""
        ...


class BaseSource:
    """Defaults for a source that only needs to be read once per sampling interval."""

    def counters(self) -> dict[str, Callable[[], float | None]]:
        """No counter with coarse ticks."""
        return {}

    def poll_s(self) -> float:
        """No integral of power."""
        return 0.0

    def powers(self) -> dict[str, float | None]:
        """No second reading to check a counter against."""
        return {}

    def dated_ns(self) -> int:
        """The source takes no moment: whoever reads it dates the reading."""
        return 0

    def close(self) -> None:
        """Nothing to release."""


@dataclass
class Integral:
    """Joules of a power reading, where each value counts until the next reading.

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


def missing(name: str, kind: str, api: str, reason: str, fix: str = "") -> Domain:
    """A domain that exists, or should exist, but cannot be read."""
    return Domain(
        id=name, kind=kind, boundary="chip", origin="missing", api=api, reason=reason, fix=fix
    )


def unreadable(domain: Domain, file: Path, otherwise: str = "the counter cannot be read") -> Domain:
    """A domain whose file cannot be read, with the command that grants access.

    Args:
        domain: what would be read.
        file: from where.
        otherwise: the reason if it is not a lack of permission.
    """
    there = file.exists()
    reason = "permission" if there and not os.access(file, os.R_OK) else otherwise
    fix = f"sudo chmod o+r {file}" if there else ""
    return replace(domain, origin="missing", reason=reason, fix=fix)
