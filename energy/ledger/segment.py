"""What one metering process wrote to a ledger: joules over time, windows, marks."""

from __future__ import annotations

import bisect
import math
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from energy.ledger.curve import Curve
from energy.ledger.lines import Row as Row

LOST = "lost"
"""The end of a segment whose process was killed before it wrote an end row."""

INCIDENTS = ("clock", "gap")
"""Kinds of rows that, if they have a cause, appear in the notes of a record."""


@dataclass
class Held:
    """Joules of a power, where each reading counts until the next.

    This is exact for steps and for constant power; a trapezoid would smear every step.
    """

    joules: float = 0.0
    last_s: float = 0.0
    last_w: float | None = None

    def add(self, time_s: float, power_w: float | None) -> float | None:
        """Add a reading and return the joules so far; a failed reading gives None."""
        if self.last_w is not None:
            self.joules += self.last_w * (time_s - self.last_s)
        self.last_s, self.last_w = time_s, power_w
        return None if power_w is None else self.joules


@dataclass
class Segment:
    """What one metering process wrote, from its header to its end or its death.

    Attributes:
        header: the row that opened it.
        times: monotonic seconds of the samples.
        curves: joules of each domain over time.
        windows: rows of closed windows.
        marks: rows of marks.
        incidents: rows about clocks that jumped, late samples and a deleted file.
        end: why it ended; "lost" if the process was killed.
        holders: the runs that read the meters for it, if other processes did.
        own_s: monotonic seconds of the samples that its own process took.
        borrowed_s: those of samples that another process took, before, during and after it.
        reach_s: first and last moment that its own rows mention.
        powers: integrals of the domains that are read by power.
    """

    header: Row
    times: Sequence[float] = ()
    curves: dict[str, Curve] = field(default_factory=dict)
    windows: list[Row] = field(default_factory=list)
    marks: list[Row] = field(default_factory=list)
    incidents: list[Row] = field(default_factory=list)
    end: str = LOST
    holders: list[Row] = field(default_factory=list)
    own_s: array[float] = field(default_factory=lambda: array("d"))
    borrowed_s: array[float] = field(default_factory=lambda: array("d"))
    reach_s: tuple[float, float] = (math.inf, -math.inf)
    powers: dict[str, Held] = field(default_factory=dict)

    @classmethod
    def from_header(cls, header: Row) -> Segment:
        """A segment with the domains of a header, without samples."""
        return cls(header, curves={d["id"]: Curve(d["wrap_j"]) for d in header["domains"]})

    @property
    def start_s(self) -> float:
        """Monotonic time of the first sample."""
        return self.times[0]

    @property
    def stop_s(self) -> float:
        """Monotonic time of the last sample."""
        return self.times[-1]

    def between(self, domain: str, start_s: float, stop_s: float) -> float | None:
        """Joules of a domain between two moments; None if it was never read."""
        curve = self.curves[domain]
        first, last = curve.at(start_s), curve.at(stop_s)
        return None if first is None or last is None else last - first

    def resolution_s(self) -> float:
        """Seconds between two ticks of the coarsest domain."""
        return max((float(d.get("tick_s", 0)) for d in self.header["domains"]), default=0.0)

    def resume(self, header: Row) -> None:
        """Go on with the header of a restarted sampler: its domains and their order."""
        self.end = LOST
        if header["domains"]:
            self.header = {**self.header, "domains": header["domains"]}
            self.add_domains(header["domains"])

    def add_domains(self, domains: list[Row]) -> None:
        """Add domains that another process reads for it; its own keep their order."""
        named = {domain["id"] for domain in self.header["domains"]}
        more = [domain for domain in domains if domain["id"] not in named]
        self.header = {**self.header, "domains": [*self.header["domains"], *more]}
        for domain in domains:
            self.curves.setdefault(domain["id"], Curve(domain["wrap_j"]))

    def add(self, row: Row, *, live: bool = False) -> None:
        """Add a row that its own process wrote.

        Args:
            row: the row.
            live: drop windows and marks, which a run that is still going on does not need.
        """
        kind = row["k"]
        if kind == "s":
            self.add_sample(row)
        elif kind == "t":
            self.add_ticks(row)
        elif kind == "window" and not live:
            self.windows.append(_compact(row))
        elif kind == "mark" and not live:
            self.marks.append(row)
        elif kind == "attach":
            self.holders.append(row["to"])
        elif kind == "end":
            self.end = row["why"]
        elif kind in INCIDENTS and "why" in row:
            self.incidents.append(row)
        moments = [row[name] / 1e9 for name in ("m", "m0", "m1") if name in row]
        first, last = self.reach_s
        self.reach_s = (min([first, *moments]), max([last, *moments]))

    def add_sample(self, row: Row, domains: list[Row] | None = None) -> None:
        """Add a sample.

        Args:
            row: the row of the sample.
            domains: the domains of the process that took it, if that was another one.
        """
        moment_s, order = row["m"] / 1e9, domains or self.header["domains"]
        ages = row.get("a") or [None] * len(row["j"])
        readings = self._power_readings(row, order)
        for domain, raw, age in zip(order, row["j"], ages, strict=False):
            age_s = (age or 0) / 1e6
            if age is None and domain.get("method") == "counter":
                # A reading of a coarse counter whose ticks are not dated yet is half a tick old on
                # average.
                age_s = float(domain.get("tick_s", 0)) / 2
            # Since version 2 (with `meter`) a domain that is read by power has no joules here.
            powered = domain.get("method") == "power" and domain.get("meter")
            if not domain.get("reason") and not powered:
                joules = None if raw is None else float(raw)
                readings.append((domain["id"], moment_s - age_s, joules))
        # A damaged row has raised by now, so that no part of it is added.
        (self.own_s if domains is None else self.borrowed_s).append(moment_s)
        for domain_id, time_s, joules in readings:
            self.curves[domain_id].add(time_s, joules)

    def _power_readings(self, row: Row, order: list[Row]) -> list[tuple[str, float, float | None]]:
        """The integral of each domain at each reading of its power since the last sample."""
        readings: list[tuple[str, float, float | None]] = []
        for meter, rows in row.get("p", {}).items():
            names = [
                d["id"]
                for d in order
                if d["method"] == "power" and d["meter"] == meter and not d["reason"]
            ]
            for age_us, *watts in rows:
                moment_s = row["m"] / 1e9 - age_us / 1e6
                for name, power_w in zip(names, watts, strict=True):
                    integral = self.powers.setdefault(name, Held())
                    readings.append((name, moment_s, integral.add(moment_s, power_w)))
        return readings

    def add_ticks(self, row: Row) -> None:
        """Add dated ticks."""
        for domain, points in row["j"].items():
            for moment, raw in points if domain in self.curves else ():
                self.curves[domain].add(moment / 1e9, raw)

    def add_incident(self, row: Row) -> None:
        """Add an incident of the process that reads the meters, if it lies within this segment."""
        if self.reach_s[0] <= row["m"] / 1e9 <= self.reach_s[1]:
            self.incidents.append(row)

    def set_times(self, live: bool) -> None:
        """Set `times`: its own samples, or if another process reads the meters, all in its reach.

        Args:
            live: whether a run that has not ended is still going on.
        """
        if not self.holders:
            self.times = self.own_s
            return
        start_s, stop_s = self.reach_s
        if live and self.end == LOST:
            stop_s = max([stop_s, *self.borrowed_s[-1:], *self.own_s[-1:]])
        inner = {t for t in (*self.own_s, *self.borrowed_s) if start_s < t < stop_s}
        self.times = sorted({start_s, stop_s, *inner})
        if not self.header["domains"]:
            self.add_domains([_lost_domain(self.holders[-1])])

    def forget(self, until_s: float) -> None:
        """Drop the readings between the first and a moment; totals stay as they are."""
        for times in (self.own_s, self.borrowed_s):
            del times[1 : bisect.bisect_left(times, until_s)]
        for curve in self.curves.values():
            curve.forget(until_s)


def _compact(row: Row) -> Row:
    """The row of a window with interned names, as a run may have millions of windows."""
    return {
        "m0": row["m0"],
        "m1": row["m1"],
        "name": sys.intern(str(row["name"])),
        "phase": sys.intern(str(row["phase"])),
        "n": row.get("n"),
    }


def _lost_domain(holder: Row) -> Row:
    """A domain that stands for the samples that another process wrote and that are gone."""
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
