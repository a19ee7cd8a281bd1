"""The interface of a meter: which domains it can read, and the joules or watts of each.

A source is probed once and read often. Reading never raises, writes nothing, and needs neither the
network nor sudo. A failed reading is None and becomes a gap in the ledger, never a zero. A meter
does not integrate power: the ledger holds the watts as they were read, and its reader integrates
them, so that a meter that stands still for a while counts nothing for that time.
"""

from __future__ import annotations

import os
import time
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
        method: counter, power, model or constant. Domains of method power are read by `watts`, all
            others by `read`.
        origin: measured, modelled, assumed or missing.
        low: lower end of the 95 % systematic band, as a factor of the reading.
        high: upper end of that band.
        wrap_j: joules at which the raw counter wraps around; 0 if it never does.
        tick_s: seconds between updates of the counter, or between readings of the power; 0 if the
            counter updates faster than it is read.
        lag_s: seconds by which a reading trails the truth: the sensor's delay and its averaging
            window.
        limit_w: most watts that the device can draw, from its own limit or its name plate; 0 if
            that is unknown.
        never_zero: whether the device always draws something: a power of 0, or a counter that
            stands still, is a fault of its meter.
        meter: name of the source that reads it.
        source: where the band and the constants come from.
        reason: why the domain is missing.
        fix: the command that would make it readable.
        note: what a reader of the record must know of its joules.
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
    limit_w: float = 0.0
    never_zero: bool = False
    meter: str = ""
    source: str = ""
    reason: str = ""
    fix: str = ""
    note: str = ""

    @property
    def read_by_power(self) -> bool:
        """Whether `watts` reads it."""
        return self.method == "power" and not self.reason

    def as_dict(self) -> dict[str, Any]:
        """All fields, as they are written to the header of a ledger."""
        return asdict(self)


class Source(Protocol):
    """A family of meters.

    Attributes:
        name: what a user calls it.
        absent: why it has no domain, where it knows more than that there is no device.
        alive: what it calls before each call into a driver, so that slow calls are told from one
            that hangs.
    """

    name: str
    absent: str
    alive: Callable[[], None]

    def check(self) -> None:
        """Check what a user has typed, before the run starts.

        Raises:
            InputError: it can never be read.
        """
        ...

    def counters(self) -> dict[str, Callable[[], float | None]]:
        """Readers of single counters that update in coarse ticks and must be polled for them."""
        ...

    def poll_s(self) -> float:
        """Seconds between two readings of power, by `watts`; 0 if no domain is read by power."""
        ...

    def watts(self) -> dict[str, float | None]:
        """Present watts of the domains of method power; None where the reading failed.

        A domain that is left out has no new reading since the last call.
        """
        ...

    def dated_watts(self) -> list[tuple[int, dict[str, float | None]]]:
        """The new readings of `watts`, oldest first, each with its moment (monotonic ns)."""
        ...

    def powers(self) -> dict[str, float | None]:
        """Present watts of domains that are read by a counter, as a check on the counter."""
        ...

    def states(self) -> dict[str, dict[str, Any]]:
        """Settings and condition of its devices now: limits, clocks, temperature."""
        ...

    def slowed_by(self) -> dict[str, list[str]]:
        """Why devices are slower than they could be; a cheap part of `states`."""
        ...

    def dated_ns(self) -> int:
        """Monotonic ns of the last reading, if the source itself took the moment; else 0."""
        ...

    def probe(self) -> list[Domain]:
        """All domains of this family on this machine; unreadable ones carry a reason."""
        ...

    def read(self) -> dict[str, float | None]:
        """Joules since a fixed moment of all other domains; None where the reading failed."""
        ...

    def close(self) -> None:
        """Release what `probe` acquired."""
        ...


class BaseSource:
    """Defaults for a source that only needs to be read once per sampling interval."""

    absent = ""
    alive: Callable[[], None] = staticmethod(lambda: None)

    def check(self) -> None:
        """Nothing was typed."""

    def counters(self) -> dict[str, Callable[[], float | None]]:
        """No counter with coarse ticks."""
        return {}

    def poll_s(self) -> float:
        """No domain is read by power."""
        return 0.0

    def watts(self) -> dict[str, float | None]:
        """No domain is read by power."""
        return {}

    def read(self) -> dict[str, float | None]:
        """No domain has cumulative joules."""
        return {}

    def dated_watts(self) -> list[tuple[int, dict[str, float | None]]]:
        """One reading, dated by the middle of the call."""
        begin_ns = time.monotonic_ns()
        watts = self.watts()
        return [((begin_ns + time.monotonic_ns()) // 2, watts)] if watts else []

    def powers(self) -> dict[str, float | None]:
        """No second reading to check a counter against."""
        return {}

    def states(self) -> dict[str, dict[str, Any]]:
        """Nothing is known of its devices but their joules."""
        return {}

    def slowed_by(self) -> dict[str, list[str]]:
        """Nothing is known of it."""
        return {}

    def dated_ns(self) -> int:
        """The source takes no moment: whoever reads it dates the reading."""
        return 0

    def close(self) -> None:
        """Nothing to release."""


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
