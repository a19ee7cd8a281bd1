"""What a ledger tells of the machine, the meters and the sampler, and why readings are missing."""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass, field

from energy.ledger.lines import Row
from energy.ledger.plausible import Sleeps
from energy.ledger.track import Track

INCIDENTS = ("clock", "gap", "hung", "lost_sampler")
"""Kinds of rows about what happened; a clock or gap row without a cause says that all is well."""

SLEPT = "the machine slept"
"""Cause of a clock row: monotonic time stood still."""

NOTICED_S = 1.0
"""A sleep is noticed at the next sample: an interval later, and this much for a busy machine."""

LEFT = {
    "killed": "the sampler was killed and started again",
    "stopped": "the sampler was stopped and replaced",
    "hung": "the sampler hung and was replaced",
}
"""What a lost sampler means, by the cause that its row gives."""


WENT_ON = "; counters went on"


@dataclass
class Incidents:
    """The incidents of one segment, in order of time.

    Attributes:
        rows: the rows that the segment's own process wrote.
        lent: those of the process that read the meters for it.
        sleeps: when the machine slept.
        restarts_s: monotonic seconds at which another sampler began.
        reasons: by domain, since when its header gives which reason for not reading it.
    """

    rows: list[Row] = field(default_factory=list)
    lent: list[Row] = field(default_factory=list)
    sleeps: Sleeps = field(default_factory=Sleeps)
    restarts_s: list[float] = field(default_factory=list)
    reasons: dict[str, list[tuple[float, str]]] = field(default_factory=dict)

    def add(self, row: Row, interval_s: float, lent: bool = False) -> None:
        """Add a row about what happened."""
        if row["k"] in ("clock", "gap") and "why" not in row:
            return
        if row["k"] == "clock" and row["why"] == SLEPT:
            self.sleeps.add(row["m"] / 1e9, interval_s + NOTICED_S, float(row["s"]))
        (self.lent if lent else self.rows).append(row)

    def restart(self, header: Row) -> None:
        """Note the header of a sampler that continues after another."""
        if "m" in header:
            bisect.insort(self.restarts_s, header["m"] / 1e9)

    def note_domains(self, header: Row) -> None:
        """Note which domains a header says cannot be read from then on."""
        moment_s = header.get("m", 0) / 1e9
        for domain in header["domains"]:
            reasons = self.reasons.setdefault(domain["id"], [])
            bisect.insort(reasons, (moment_s, domain.get("reason") or ""))

    def why(
        self,
        domain: Row,
        track: Track,
        samples_s: tuple[float, float],
        stretch: tuple[float, float],
        words: str,
    ) -> str:
        """Why a domain has no readings in a stretch.

        Args:
            domain: its entry in a header.
            track: its readings.
            samples_s: the moments of the first and the last sample.
            stretch: begin and end in monotonic seconds.
            words: what the readings themselves say; may be empty.
        """
        begin_s, end_s = stretch
        for row in (*self.rows, *self.lent):
            others = row["k"] == "hung" and row.get("meter") != domain.get("meter")
            if row["k"] != "clock" and not others and _touches(row, begin_s, end_s):
                return sentence(row)
        reasons = self.reasons.get(domain["id"], [])
        until_s = [since_s for since_s, _ in reasons[1:]] + [math.inf]
        for (since_s, reason), left_s in zip(reasons, until_s, strict=True):
            if reason and since_s < end_s and begin_s < left_s:
                return reason
        if any(begin_s < moment_s <= end_s for moment_s in self.restarts_s):
            return LEFT["killed"]
        if end_s <= samples_s[0] or begin_s >= samples_s[1]:
            return "no sampler ran"
        if words:
            return words
        if any(begin_s <= moment_s <= end_s for moment_s in track.failed):
            return "readings failed"
        doubted = sum(begin_s <= moment_s <= end_s for moment_s, _ in track.doubted())
        return "only readings that cannot be true" if doubted else "no reading"


def sentence(row: Row) -> str:
    """What happened, in words."""
    if row["k"] == "lost_sampler":
        return LEFT.get(row.get("why", ""), LEFT["killed"])
    if row["k"] == "hung":
        return f"a call of {row.get('meter', 'a meter')} did not return"
    # Up to version 1 a late sample said that counters went on, also of boards without any.
    return str(row["why"]).removesuffix(WENT_ON)


def _touches(row: Row, begin_s: float, end_s: float) -> bool:
    """Whether an incident lies in a stretch, or explains why it has no readings."""
    moment_s = row["m"] / 1e9
    seconds = float(row.get("s") or 0.0)
    inside = moment_s > begin_s and moment_s - seconds < end_s
    return inside and (row["k"] == "lost_sampler" or seconds > 0)


def lost_domain(holder: Row) -> Row:
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
        "stands_in": True,
    }
