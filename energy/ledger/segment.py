"""What one metering process wrote into a ledger: counters against time, windows, marks."""

from __future__ import annotations

import bisect
import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from energy.ledger.curve import Curve

Row = dict[str, Any]
"""A row of a ledger."""


@dataclass
class Segment:
    """What one metering process wrote, from its header to its end or its death.

    Attributes:
        header: the row that opened it.
        times: monotonic seconds of the samples.
        curves: joules of each domain.
        windows: rows of closed windows.
        marks: rows of marks.
        jumps: rows that tell of clocks that jumped, of samples that were late, of a lost file.
        end: why it ended; "lost" when it was killed.
        holders: who read the meters for it, where another process did.
        own_s: monotonic seconds of the samples that its own process took.
        lent_s: of those that another process took, before it, in its time and after it.
        reach_s: first and last moment that its own rows tell of.
    """

    header: Row
    times: Sequence[float] = ()
    curves: dict[str, Curve] = field(default_factory=dict)
    windows: list[Row] = field(default_factory=list)
    marks: list[Row] = field(default_factory=list)
    jumps: list[Row] = field(default_factory=list)
    end: str = "lost"
    holders: list[Row] = field(default_factory=list)
    own_s: array[float] = field(default_factory=lambda: array("d"))
    lent_s: array[float] = field(default_factory=lambda: array("d"))
    reach_s: tuple[float, float] = (math.inf, -math.inf)

    @classmethod
    def opened(cls, header: Row) -> Segment:
        """A segment of a header's domains, without samples."""
        return cls(header, curves={d["id"]: Curve(d["wrap_j"]) for d in header["domains"]})

    def continued(self, header: Row) -> None:
        """Take up the header of a sampler that was started again: its domains and their order."""
        self.end = "lost"
        if header["domains"]:
            self.header = {**self.header, "domains": header["domains"]}
            self.knows(header["domains"])

    def knows(self, domains: list[Row]) -> None:
        """Take up domains that somebody reads for it; its own keep their order."""
        named = {domain["id"] for domain in self.header["domains"]}
        more = [domain for domain in domains if domain["id"] not in named]
        self.header = {**self.header, "domains": [*self.header["domains"], *more]}
        for domain in domains:
            self.curves.setdefault(domain["id"], Curve(domain["wrap_j"]))

    def told(self, row: Row) -> None:
        """Take up when a row of its own was written."""
        moments = [row[name] / 1e9 for name in ("m", "m0", "m1") if name in row]
        first, last = self.reach_s
        self.reach_s = (min([first, *moments]), max([last, *moments]))

    def reaches(self, time_s: float) -> bool:
        """Whether a moment lies in the time that its own rows tell of."""
        return self.reach_s[0] <= time_s <= self.reach_s[1]

    def sampled(self, row: Row, domains: list[Row] | None = None) -> None:
        """Take up a sample: its own, or one that a process with these domains took."""
        moment_s, order = row["m"] / 1e9, domains or self.header["domains"]
        ages = row.get("a") or [None] * len(row["j"])
        read = []
        for domain, raw, age in zip(order, row["j"], ages, strict=False):
            age_s = (age or 0) / 1e6
            if age is None and domain.get("method") == "counter":
                # A reading of a coarse counter whose steps are not dated yet: half a step old in
                # the mean.
                age_s = float(domain.get("tick_s", 0)) / 2
            if not domain.get("reason"):
                read.append((domain["id"], moment_s - age_s, None if raw is None else float(raw)))
        # A damaged row has raised by now, and is left out whole.
        (self.own_s if domains is None else self.lent_s).append(moment_s)
        for domain_id, time_s, joules in read:
            self.curves[domain_id].add(time_s, joules)

    def settled(self, live: bool) -> None:
        """Set its times: its own samples; or its own reach, with what others read within it.

        Args:
            live: whether a run that has not ended still goes on.
        """
        if not self.holders:
            self.times = self.own_s
            return
        start_s, stop_s = self.reach_s
        if live and self.end == "lost":
            stop_s = max([stop_s, *self.lent_s[-1:], *self.own_s[-1:]])
        inner = {t for t in (*self.own_s, *self.lent_s) if start_s < t < stop_s}
        self.times = sorted({start_s, stop_s, *inner})
        if not self.header["domains"]:
            self.knows([_gone(self.holders[-1])])

    def forget(self, until_s: float) -> None:
        """Drop what was read between its beginning and a moment; its totals stay."""
        for times in (self.own_s, self.lent_s):
            del times[1 : bisect.bisect_left(times, until_s)]
        for curve in self.curves.values():
            curve.forget(until_s)

    def stepped(self, row: Row) -> None:
        """Take up dated steps."""
        for domain, points in row["j"].items():
            for moment, raw in points if domain in self.curves else ():
                self.curves[domain].add(moment / 1e9, raw)

    @property
    def start_s(self) -> float:
        """Monotonic time of its first sample."""
        return self.times[0]

    @property
    def stop_s(self) -> float:
        """Monotonic time of its last sample."""
        return self.times[-1]

    def between(self, domain: str, start_s: float, stop_s: float) -> float | None:
        """Joules of a domain between two moments; None where it was never read."""
        curve = self.curves[domain]
        first, last = curve.at(start_s), curve.at(stop_s)
        return None if first is None or last is None else last - first

    def resolution_s(self) -> float:
        """Seconds that the coarsest domain needs for one step."""
        return max((float(d.get("tick_s", 0)) for d in self.header["domains"]), default=0.0)


def _gone(holder: Row) -> Row:
    """A domain for samples that another process wrote and nobody finds."""
    reason = f"the samples of this node were in {holder['ledger']}, which is gone"
    return {
        "id": "node",
        "kind": "unknown",
        "boundary": "chip",
        "within": None,
        "api": "",
        "method": "counter",
        "origin": "missing",
        "low": 1.0,
        "high": 1.0,
        "wrap_j": 0.0,
        "source": "",
        "reason": reason,
        "fix": "",
    }
