"""What every meter speaks: domains that it can read, and cumulative joules of each.

A source is probed once and read often. It never raises, writes nothing, asks no network and no
sudo; a reading that fails is None and becomes a gap in the ledger, never a zero.
"""

from __future__ import annotations

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
    source: str = ""
    reason: str = ""
    fix: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The fields, for the header of a ledger."""
        return asdict(self)


class Source(Protocol):
    """A family of meters."""

    name: str

    def probe(self) -> list[Domain]:
        """All domains of this family on this machine, the unreadable ones with their reason."""
        ...

    def read(self) -> dict[str, float | None]:
        """Joules since some fixed moment, by domain; None where the reading failed."""
        ...

    def close(self) -> None:
        """Give back what `probe` took."""
        ...
