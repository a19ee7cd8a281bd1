"""A ledger as a trace: its windows as slices, the joules and watts of each device as counters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from energy.ledger import contradictions, joules
from energy.ledger.accounting import elapsed_before
from energy.ledger.interpolation import Floats
from energy.ledger.lines import Row
from energy.ledger.owned import of_rank
from energy.ledger.segment import Segment
from energy.quantity import Boundary
from energy.record import is_within_another
from energy.trace import Trace


@dataclass
class Rows:
    """Rows of slices, in each of which of two slices one contains the other, or they are apart.

    Windows of several threads may overlap otherwise; then they are in rows of their own.
    """

    _open: list[list[float]] = field(default_factory=list)

    def row(self, begin_s: float, end_s: float) -> int:
        """The row of the next slice, in order of begins, of equal begins the longest first."""
        for place, ends in enumerate(self._open):
            while ends and ends[-1] <= begin_s:
                ends.pop()
            if not ends or end_s <= ends[-1]:
                ends.append(end_s)
                return place
        self._open.append([end_s])
        return len(self._open) - 1


@dataclass(frozen=True)
class Run:
    """A ledger that is drawn.

    Attributes:
        name: of its process in the trace: "run", "rank 3".
        segments: of the ledger.
    """

    name: str
    segments: list[Segment]

    @property
    def began_s(self) -> float:
        """Seconds since 1970 at its begin, by the wall clock."""
        header = self.segments[0].header
        clock = datetime.fromisoformat(header["utc"]).timestamp() if "utc" in header else 0.0
        return clock + self.segments[0].start_s - float(header["m"]) / 1e9


def add_runs(drawn: Trace, runs: Sequence[Run]) -> None:
    """Add ledgers to a trace; several of one job by their wall clocks, from the first on.

    The last value of a device's joules is what the record of its ledger has of it, read and
    bridged; time that is missing has none.
    """
    first_s = min(run.began_s for run in runs) if len(runs) > 1 else runs[0].began_s
    metered: set[str] = set()
    for run in runs:
        later_s = run.began_s - first_s
        refused = contradictions.refused([segment.span for segment in run.segments])
        own, _ = of_rank(run.segments)
        domains = joules.domains_of(own)
        known = [name for name, row in domains.items() if not (row["reason"] or name in refused)]
        before_s = {key: later_s + seconds for key, seconds in elapsed_before(own).items()}
        counted = _counted(own, refused)
        _add_windows(drawn, Run(run.name, own), before_s, counted)
        for name in known:
            if name not in metered and any(name in segment.curves for segment in own):
                metered.add(name)
                _add_device(drawn, own, domains[name], before_s)


def _counted(segments: list[Segment], refused: dict[str, str]) -> tuple[str, set[str]]:
    """The innermost boundary that was metered, and the devices whose joules add up to its total."""
    entries = joules.entries([segment.span for segment in segments], refused=refused)
    read = [entry for entry in entries if entry.value is not None]
    if not read:
        return "", set()
    innermost = min((entry.boundary for entry in read), key=list(Boundary).index)
    own = [entry for entry in read if entry.boundary is innermost]
    return str(innermost), {e.device for e in own if not is_within_another(e, entries)}


def _add_windows(
    drawn: Trace, run: Run, before_s: dict[int, float], counted: tuple[str, set[str]]
) -> None:
    """The windows of a ledger with their joules, in as many rows as they need."""
    boundary, devices = counted
    rows = Rows()
    for segment in run.segments:
        windows, later_s = segment.windows, before_s[id(segment)] - segment.start_s
        begins, ends = np.array(windows.begins), np.array(windows.ends)
        spent = _joules(segment, devices, ends) - _joules(segment, devices, begins)
        for place in np.lexsort((-ends, begins)):
            name, phase = windows.names[windows.kinds[place]]
            begin_s, end_s = later_s + float(begins[place]), later_s + float(ends[place])
            row = rows.row(begin_s, end_s)
            thread = f"windows {row + 1}" if row else "windows"
            facts = {"phase": phase}
            if devices:
                facts |= {"energy_j": float(spent[place]), "boundary": boundary}
            drawn.slice((run.name, thread), name, begin_s, end_s, facts)


def _joules(segment: Segment, devices: set[str], moments: Floats) -> Floats:
    """Joules of devices together up to moments, from some begin on."""
    curves = [name for name in devices if name in segment.curves]
    none = np.zeros(len(moments))
    return sum((segment.coverage(name).counted_j(moments) for name in curves), none)


def _add_device(
    drawn: Trace, segments: list[Segment], domain: Row, before_s: dict[int, float]
) -> None:
    """The joules of a device so far, and its mean watts from sample to sample."""
    process = f"{domain['id']} ({domain['origin']})"
    energy, power = (f"{word}, {domain['boundary']}" for word in ("energy", "power"))
    sum_j = 0.0
    for segment, moments in _sampled(segments, domain["id"]):
        spent = segment.coverage(domain["id"]).counted_j(moments)
        times = before_s[id(segment)] + moments - segment.start_s
        watts = np.append(np.diff(spent) / np.diff(moments), 0.0)
        for time_s, total_j, power_w in zip(times, sum_j + spent - spent[0], watts, strict=True):
            drawn.counter(process, energy, "J", float(time_s), float(total_j))
            drawn.counter(process, power, "W", float(time_s), float(power_w))
        sum_j += float(spent[-1] - spent[0])


def _sampled(segments: list[Segment], name: str) -> Iterator[tuple[Segment, Floats]]:
    """The segments that read a device, each with its moments from its begin to its end."""
    for segment in segments:
        if name in segment.curves:
            edges = (segment.start_s, segment.stop_s)
            inner = (time for time in segment.times if edges[0] < time < edges[1])
            moments = np.unique(np.array([edges[0], *inner, edges[1]]))
            if len(moments) > 1:
                yield segment, moments
