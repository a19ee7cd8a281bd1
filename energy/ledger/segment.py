"""What one metering process wrote to a ledger: readings over time, windows, marks."""

from __future__ import annotations

import bisect
import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from energy.ledger.agreement import Check
from energy.ledger.both import Both
from energy.ledger.curve import Curve
from energy.ledger.devices import Devices
from energy.ledger.incidents import INCIDENTS, Incidents, lost_domain
from energy.ledger.lines import Row
from energy.ledger.plausible import Bound
from energy.ledger.power import PowerTrack
from energy.ledger.track import Track
from energy.ledger.windows import Windows

if TYPE_CHECKING:
    from energy.ledger.coverage import Coverage

LOST = "lost"
"""The end of a segment whose process was killed before it wrote an end row."""

INTERVAL_S = 1.0
"""Seconds between samples, if the header does not say."""

HOLD_S, HOLD_TICKS = 0.5, 3
"""A power counts until the next reading, but no longer than this and than so many of its ticks."""

HOLD_INTERVALS = 2.5
"""In version 1 the sampler added powers up; it stood still between samples this far apart."""

REACHING = {"s", "mark", "attach", "alive", "end"}
"""Kinds of rows that show that the run went on at their moments."""


@dataclass
class Segment:
    """What one metering process wrote, from its header to its end or its death.

    Attributes:
        header: the row that opened it, with every domain that the segment was read by.
        times: monotonic seconds of the samples.
        curves: joules of each domain over time.
        windows: the closed windows.
        marks: rows of marks.
        history: what happened to the machine, the meters and the sampler.
        devices: how the devices were set and how they fared.
        checks: the power of domains that have a counter, as a check on it.
        end: why it ended; "lost" if the process was killed.
        holders: the runs that read the meters for it, if other processes did.
        own_s: monotonic seconds of the samples that its own process took.
        borrowed_s: those of samples that another process took, before, during and after it.
        reach_s: first and last moment that its own rows mention.
        late_samples: samples whose rows came after those of later ones.
    """

    header: Row
    times: Sequence[float] = ()
    curves: dict[str, Track] = field(default_factory=dict)
    windows: Windows = field(default_factory=Windows)
    marks: list[Row] = field(default_factory=list)
    history: Incidents = field(default_factory=Incidents)
    devices: Devices = field(default_factory=Devices)
    checks: dict[str, Check] = field(default_factory=dict)
    end: str = LOST
    holders: list[Row] = field(default_factory=list)
    own_s: array[float] = field(default_factory=lambda: array("d"))
    borrowed_s: array[float] = field(default_factory=lambda: array("d"))
    reach_s: tuple[float, float] = (math.inf, -math.inf)
    late_samples: int = 0
    _order: list[Row] = field(default_factory=list)
    _coverage: dict[str, tuple[tuple[float, float, int], Coverage]] = field(default_factory=dict)

    @classmethod
    def from_header(cls, header: Row) -> Segment:
        """A segment with the domains of a header, without samples."""
        segment = cls({**header, "domains": []})
        segment.set_domains(header)
        return segment

    @property
    def start_s(self) -> float:
        """Monotonic time of the first sample, or of an earlier row of the run."""
        return min((self.times or self.own_s)[0], self.reach_s[0])

    @property
    def stop_s(self) -> float:
        """Monotonic time of the last sample, or of a later row of the run."""
        return max((self.times or self.own_s)[-1], self.reach_s[1])

    @property
    def span(self) -> tuple[Segment, float, float]:
        """The whole of it, as a stretch of the ledger."""
        return self, self.start_s, self.stop_s

    @property
    def interval_s(self) -> float:
        """Seconds between two samples."""
        return float(self.header.get("interval_s") or INTERVAL_S)

    @property
    def incidents(self) -> list[Row]:
        """Rows about clocks that jumped, late samples, samplers that died and calls that hung.

        Those of the process that read the meters count if they lie within this segment.
        """
        first, last = self.reach_s
        lent = [row for row in self.history.lent if first <= row["m"] / 1e9 <= last]
        return sorted([*self.history.rows, *lent], key=lambda row: int(row["m"]))

    def coverage(self, domain: str) -> Coverage:
        """What the readings of a domain tell of this segment."""
        from energy.ledger.coverage import Coverage  # with numpy: not when a run starts

        curve = self.curves[domain]
        key = (self.start_s, self.stop_s, len(curve.times))
        if domain not in self._coverage or self._coverage[domain][0] != key:
            within = (self.start_s, self.stop_s)
            samples = self.times or self.own_s
            samples_s = (samples[0], samples[-1])

            row = next(d for d in self.header["domains"] if d["id"] == domain)

            def why(begin_s: float, end_s: float, words: str) -> str:
                return self.history.why(row, curve, samples_s, (begin_s, end_s), words)

            self._coverage[domain] = (key, Coverage(curve, row, within, self.interval_s, why))
        return self._coverage[domain][1]

    def between(self, domain: str, start_s: float, stop_s: float) -> float | None:
        """Joules of a domain that were read between two moments; None if none were."""
        coverage = self.coverage(domain)
        share = coverage.between(start_s, stop_s)
        read = share.read_s > 0 or (start_s == stop_s and coverage.knows(start_s))
        return share.read_j if read else None

    def resolution_s(self) -> float:
        """Seconds between two updates of the slowest meter."""
        return max((self.coverage(name).tick_s for name in self.curves), default=0.0)

    def resume(self, header: Row) -> None:
        """Go on with the header of a restarted sampler: its domains and their order."""
        self.end = LOST
        self.history.restart(header)
        if header["domains"]:
            self.set_domains(header)

    def set_domains(self, header: Row) -> None:
        """Read the following samples of its own process with the domains of a header."""
        self._order = header["domains"]
        self.add_domains(header)

    def add_domains(self, header: Row) -> None:
        """Add the domains of a process that reads the meters, or begins to read them again."""
        merged = {domain["id"]: domain for domain in self.header["domains"]}
        for domain in header["domains"]:
            name = domain["id"]
            known = merged.get(name)
            if known is None or known.get("reason"):
                merged[name] = domain
            if name not in self.curves or (known is not None and known.get("reason")):
                self.curves[name] = self._track(domain, header)
            elif known is not None and known.get("method") != domain.get("method"):
                merged[name] = self._read_otherwise(known, domain, header)
            elif header.get("v", 1) == 1 and domain.get("method") == "power":
                # Up to version 1 the sampler itself added powers up, from zero at each start.
                curve = self.curves[name]
                if isinstance(curve, Curve) and "m" in header:
                    curve.restart(header["m"] / 1e9)
        self.header = {**self.header, "domains": list(merged.values())}
        self.history.note_domains(header)

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
            self.windows.append(row)
        elif kind == "mark" and not live:
            self.marks.append(row)
        elif kind == "attach":
            self.holders.append(row["to"])
        elif kind == "end":
            self.end = row["why"]
        elif kind in INCIDENTS:
            self.history.add(row, self.interval_s)
        elif kind == "state":
            self.devices.add(row)
        if kind == "window":
            self._reach(row["m0"] / 1e9, row["m1"] / 1e9)
        elif kind in REACHING:
            self._reach(row["m"] / 1e9, row["m"] / 1e9)

    def _reach(self, begin_s: float, end_s: float) -> None:
        """Note moments at which the run went on."""
        first_s, last_s = self.reach_s
        if begin_s < first_s or end_s > last_s:
            self.reach_s = (min(first_s, begin_s), max(last_s, end_s))

    def add_sample(self, row: Row, domains: list[Row] | None = None) -> None:
        """Add a sample.

        Args:
            row: the row of the sample.
            domains: the domains of the process that took it, if that was another one.
        """
        moment_s, order = row["m"] / 1e9, self._order if domains is None else domains
        ages = row.get("a") or [None] * len(row["j"])
        readings = _powers(row, order) if "p" in row else []
        for domain, raw, age in zip(order, row["j"], ages, strict=False):
            if domain.get("reason") or _by_power(domain):
                continue
            age_s = (age or 0) / 1e6
            if age is None and domain.get("method") == "counter":
                # A reading of a coarse counter whose ticks are not dated yet is half a tick old on
                # average.
                age_s = float(domain.get("tick_s", 0)) / 2
            joules = None if raw is None else float(raw)
            readings.append((domain, moment_s - age_s, joules))
        # A damaged row has raised by now, so that no part of it is added.
        self._order_in(self.own_s if domains is None else self.borrowed_s, moment_s)
        for domain, time_s, value in readings:
            self.curves[domain["id"]].part(_by_power(domain)).add(time_s, value)
        for domain, watts in zip(order, row.get("w", ()), strict=False):
            if watts is not None:
                self.checks.setdefault(domain["id"], Check()).add(moment_s, float(watts))

    def _order_in(self, times: array[float], moment_s: float) -> None:
        """Add the moment of a sample; one that comes late, as in a ledger that was sorted, too."""
        if times and moment_s < times[-1]:
            self.late_samples += 1
            bisect.insort(times, moment_s)
        else:
            times.append(moment_s)

    def add_ticks(self, row: Row) -> None:
        """Add dated ticks."""
        for domain, points in row["j"].items():
            if domain in self.curves:
                track = self.curves[domain].part(by_power=False)
                for moment, raw in points:
                    track.add(moment / 1e9, raw)

    def add_incident(self, row: Row) -> None:
        """Add an incident of the process that reads the meters."""
        self.history.add(row, self.interval_s, lent=True)

    def share(self, other: Segment) -> None:
        """Use the samples of another segment that borrowed them from the same process."""
        self.header = {**self.header, "domains": other.header["domains"]}
        self.curves, self.borrowed_s = other.curves, other.borrowed_s
        self.checks, self.devices = other.checks, other.devices
        self.history = replace(other.history, rows=self.history.rows)

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
            self.add_domains({"domains": [lost_domain(self.holders[-1])]})

    def forget(self, until_s: float) -> None:
        """Drop the readings between the first and a moment; totals stay as they are."""
        for times in (self.own_s, self.borrowed_s):
            del times[1 : bisect.bisect_left(times, until_s)]
        for curve in self.curves.values():
            curve.forget(until_s)

    def _read_otherwise(self, known: Row, domain: Row, header: Row) -> Row:
        """Go on with the power of a domain that was read by a counter, or the other way round."""
        track, other = self.curves[known["id"]], self._track(domain, header)
        if isinstance(track, PowerTrack) != isinstance(other, PowerTrack):
            first, second = (other, track) if isinstance(track, PowerTrack) else (track, other)
            self.curves[known["id"]] = Both(first, second)
        return {
            **known,
            "api": f"{known['api']}; {domain['api']}",
            "low": min(known["low"], domain["low"]),
            "high": max(known["high"], domain["high"]),
            "lag_s": max(known.get("lag_s", 0.0), domain.get("lag_s", 0.0)),
        }

    def _track(self, domain: Row, header: Row) -> Track:
        """An empty curve for a domain of a header."""
        bound = Bound.of(domain, self.history.sleeps)
        if _by_power(domain):
            return PowerTrack(bound, max(HOLD_S, HOLD_TICKS * bound.tick_s))
        hold_s = math.inf
        if domain.get("method") == "power":
            interval_s = float(header.get("interval_s") or self.interval_s)
            hold_s = max(HOLD_S, HOLD_INTERVALS * interval_s)
        return Curve(bound=bound, hold_s=hold_s)


def _by_power(domain: Row) -> bool:
    """Whether a ledger has readings of power for a domain; since version 2 the meter is named."""
    return domain.get("method") == "power" and bool(domain.get("meter"))


def _powers(row: Row, order: list[Row]) -> list[tuple[Row, float, float | None]]:
    """Domain, moment and watts of the readings of power since the last sample."""
    readings: list[tuple[Row, float, float | None]] = []
    for meter, polls in row["p"].items():
        powered = [
            domain
            for domain in order
            if _by_power(domain) and domain["meter"] == meter and not domain.get("reason")
        ]
        for age_us, *watts in polls:
            moment_s = row["m"] / 1e9 - age_us / 1e6
            for domain, power_w in zip(powered, watts, strict=True):
                readings.append((domain, moment_s, None if power_w is None else float(power_w)))
    return readings
