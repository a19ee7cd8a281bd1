"""Compares a record with the truth: what may be claimed, what must be named, what a band contains.

A record claims time as measured by `covered`, names time without readings by entries with
`seconds` and `why`, and bridges short gaps by modelled entries. Each check returns problems of one
kind, in words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from benchmarks.meters import spans
from benchmarks.meters.sensors import Load
from benchmarks.meters.spans import Span

SLIVER_S = 0.35
"""Time at the edge of what was read that may count as read, at least; else three ticks."""

AXIS_S = 0.06
"""How far the ends of a record's time may be off."""

BRIDGE_S = 5.0
"""The longest gap that may be bridged at sampling intervals of up to 1.7 s."""

WIDER = 1.2
"""A band may be so much wider than in a sound run before it counts as wider: how late a sensor is
follows from its readings, which are others in each run."""


class Kind(StrEnum):
    """What is wrong with a record."""

    CLAIM = "tells joules for time without readings"
    BAND = "the truth of what was read is outside its band, or the band is wider"
    NAME = "time without readings is not named with its seconds"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a record."""

    kind: Kind
    text: str


@dataclass(frozen=True)
class SoundBand:
    """Half width of the band of runs in which nothing goes wrong.

    Attributes:
        edges_j: what the begin and the end of a run add together, in joules.
        per_s_w: what each second adds, in joules.
    """

    edges_j: float
    per_s_w: float


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What happened to one device.

    Attributes:
        device: its name in the record.
        load: its true power.
        run: begin and end of the run.
        read: stretches of the run in which readings surely tell its energy.
        maybe: stretches that readings in several ledgers together may tell.
        moments: of the readings.
        hold_s: how long a reading may count when no other follows.
        sliver_s: time at the edge of what was read that may count as read.
        every_s: time between its readings, in which the power of a window's edge is unknown.
        limit_w: most watts that it can draw.
        sound: half width of the band of a sound run of the same load.
        ledgers: how many ledgers the record was made from.
    """

    device: str
    load: Load
    run: Span
    read: Sequence[Span]
    moments: Sequence[float]
    hold_s: float
    sliver_s: float
    every_s: float
    limit_w: float
    sound: SoundBand
    maybe: Sequence[Span] = ()
    ledgers: int = 1

    @property
    def perhaps_read(self) -> list[Span]:
        """The same stretches, with all that may count as read around each reading."""
        around = spans.widened(
            ((moment, moment + self.hold_s) for moment in self.moments),
            self.sliver_s,
            self.sliver_s,
        )
        return spans.within(spans.union([*self.read, *self.maybe, *around]), self.run)

    @property
    def bridgeable(self) -> list[Span]:
        """The gaps that are short enough to be bridged once the last reading has been counted."""
        most_s = BRIDGE_S + 1 + self.hold_s
        return [gap for gap in spans.gaps(self.read, self.run) if gap[1] - gap[0] <= most_s]

    @property
    def silent(self) -> list[Span]:
        """Stretches of the run without readings that are too long to count as read."""
        slack_s = self.sliver_s + self.hold_s
        return [gap for gap in spans.gaps(self.read, self.run) if gap[1] - gap[0] > slack_s]

    def joules(self, stretches: Sequence[Span]) -> float:
        """Exact joules of stretches."""
        return sum(float(self.load.between(begin, end)) for begin, end in stretches)


def problems(record: Mapping[str, Any], truth: Truth) -> list[Problem]:
    """All that is wrong with what a record says of one device.

    Args:
        record: the JSON of a RunRecord.
        truth: of the device.
    """
    return [*_energy(record, truth), *_windows(record, truth)]


def _energy(record: Mapping[str, Any], truth: Truth) -> Iterator[Problem]:
    """Problems of the entries of a device and of the totals."""
    entries = [entry for entry in record["energy"] if entry["device"] == truth.device]
    measured = [entry for entry in entries if entry["origin"] == "measured"]
    modelled = [entry for entry in entries if entry["origin"] == "modelled"]
    missing = [entry for entry in entries if entry["value"] is None]
    elapsed_s = record["elapsed_s"]["value"]
    run_s, read_s = truth.run[1] - truth.run[0], spans.seconds(truth.read)
    slack_s = (truth.sliver_s + truth.hold_s) * (1 + len(spans.gaps(truth.read, truth.run)))
    if abs(elapsed_s - run_s) > SLIVER_S + 0.02 * run_s:
        yield Problem(Kind.NAME, f"lasted {elapsed_s:.2f} s, not {run_s:.2f} s")
    claimed_s = sum(_covered(entry) * elapsed_s for entry in measured)
    most_s = max(read_s + slack_s, spans.seconds(truth.perhaps_read))
    if claimed_s > most_s:
        yield Problem(Kind.CLAIM, f"{claimed_s:.1f} s measured, {read_s:.1f} s read")
    if any(entry["value"] == 0 for entry in measured) and truth.joules([truth.run]) > 0:
        yield Problem(Kind.CLAIM, "0 J measured")
    if read_s > slack_s and claimed_s < read_s - slack_s:
        yield Problem(Kind.BAND, f"only {claimed_s:.1f} s of {read_s:.1f} s read are measured")
    yield from _bridges(modelled, truth)
    named_s = sum(entry.get("seconds") or 0.0 for entry in (*missing, *modelled))
    if abs(elapsed_s - claimed_s - named_s) > 0.1 + 0.01 * elapsed_s and truth.silent:
        unnamed = f"of {elapsed_s:.1f} s {claimed_s:.1f} s are measured and {named_s:.1f} s named"
        yield Problem(Kind.NAME, unnamed)
    if any(not entry.get("why") for entry in (*missing, *modelled)):
        yield Problem(Kind.NAME, "a gap without a reason")
    if missing and not _in_totals(record, truth.device):
        yield Problem(Kind.NAME, "no total names the missing device")
    for entry in measured:
        yield from _band(entry, missing, sum(e.get("seconds") or 0 for e in modelled), truth)


def _covered(entry: Mapping[str, Any]) -> float:
    """The share of time that an entry claims; all of it if it does not say."""
    covered = entry.get("covered")
    return 1.0 if covered is None else float(covered)


def _in_totals(record: Mapping[str, Any], device: str) -> bool:
    """Whether a total names a device as missing, or there is no total."""
    totals = record["totals"].values()
    names = [part["device"] for total in totals for part in total.get("missing", [])]
    return device in names or not totals


def _bridges(modelled: Sequence[Mapping[str, Any]], truth: Truth) -> Iterator[Problem]:
    """Problems of the gaps that are bridged."""
    short = truth.bridgeable
    for entry in modelled:
        seconds = entry.get("seconds") or 0.0
        slack_s = (truth.sliver_s + truth.hold_s) * max(1, len(short))
        if seconds > spans.seconds(short) + slack_s:
            yield Problem(Kind.CLAIM, f"{seconds:.1f} s bridged")
        if not entry["low"] <= entry["value"] <= entry["high"] <= 1.5 * truth.limit_w * seconds:
            yield Problem(Kind.CLAIM, "a bridge beyond the limit of the device")


def _band(
    entry: Mapping[str, Any],
    missing: Sequence[Mapping[str, Any]],
    bridged_s: float,
    truth: Truth,
) -> Iterator[Problem]:
    """Problems of the band of what was measured."""
    begin_s = truth.run[0]
    outside = [
        (begin_s + gap["begin_s"], begin_s + gap["end_s"])
        for gap in missing
        if gap.get("begin_s") is not None
    ]
    exact = [
        truth.joules(spans.gaps([*outside, *bridges], truth.run))
        for bridges in _placed(bridged_s, outside, truth)
    ]
    slack_j = AXIS_S * float(truth.load.watts.max())
    low_j, high_j = entry["low"] - slack_j, entry["high"] + slack_j
    if not any(low_j <= joules <= high_j for joules in exact):
        text = f"{entry['low']:.0f} to {entry['high']:.0f} J for {exact[0]:.0f} J"
        yield Problem(Kind.BAND, text)
    # Each stretch that was read is as a sound run of its own. But where it was cut, nobody looked
    # closely: the power of half of the time until the next reading is unknown on either side.
    cuts = sum(end - begin > AXIS_S for begin, end in spans.gaps(truth.read, truth.run))
    cuts += truth.ledgers - 1
    cut_s = (truth.every_s + truth.sliver_s + truth.hold_s) / 2
    cut_j = truth.sound.edges_j + cut_s * float(truth.load.watts.max())
    read_s = _covered(entry) * (truth.run[1] - truth.run[0])
    sound_j = truth.sound.edges_j + read_s * truth.sound.per_s_w + cuts * cut_j + slack_j
    half_j = (entry["high"] - entry["low"]) / 2
    if half_j > WIDER * sound_j:
        yield Problem(Kind.BAND, f"half width {half_j:.0f} J, {sound_j:.0f} J in a sound run")


def _placed(bridged_s: float, outside: Sequence[Span], truth: Truth) -> list[list[Span]]:
    """Where the bridges of a record may lie: at the begins or at the ends of the short gaps."""
    if not bridged_s:
        return [[]]
    short = [
        gap
        for gap in spans.gaps([*truth.read, *outside], truth.run)
        if gap[1] - gap[0] > SLIVER_S and gap in truth.bridgeable
    ]
    share = bridged_s / max(spans.seconds(short), bridged_s)
    early = [(begin, begin + share * (end - begin)) for begin, end in short]
    late = [(end - share * (end - begin), end) for begin, end in short]
    return [early, late]


def _windows(record: Mapping[str, Any], truth: Truth) -> Iterator[Problem]:
    """Problems of the windows, each of a name of its own."""
    for window in record["windows"]:
        energy = window["energy_j"]
        bounds = (truth.run[0] + window["begin_s"], truth.run[0] + window["end_s"])
        length_s = bounds[1] - bounds[0]
        if length_s < 0 or window["elapsed_s"]["value"] < 0:
            yield Problem(Kind.NAME, f"window {window['name']} lasts {length_s:.2f} s")
            continue
        silent_s = length_s - spans.seconds(spans.within(truth.read, bounds))
        unread_s = length_s - spans.seconds(spans.within(truth.perhaps_read, bounds))
        is_measured = energy["origin"] == "measured" and energy["value"] is not None
        name = f"window {window['name']}"
        if unread_s >= length_s > 0 and is_measured:
            yield Problem(Kind.CLAIM, f"{name}: {energy['value']:.0f} J measured, nothing read")
        elif unread_s > truth.sliver_s and is_measured and not energy.get("missing"):
            yield Problem(Kind.NAME, f"{name}: {unread_s:.1f} s without readings, none named")
        elif silent_s == 0 and not is_measured:
            yield Problem(Kind.BAND, f"{name} was read and is not measured")
        elif silent_s == 0:
            exact_j, watts = truth.joules([bounds]), truth.load.watts
            slack_j = float(AXIS_S * watts.max() + truth.every_s * (watts.max() - watts.min()))
            if not energy["low"] - slack_j <= exact_j <= energy["high"] + slack_j:
                text = f"{energy['low']:.0f} to {energy['high']:.0f} J for {exact_j:.0f} J"
                yield Problem(Kind.BAND, f"{name}: {text}")


def by_kind(cases: Iterable[Sequence[Problem]]) -> Counter[Kind]:
    """How many cases have a problem of each kind."""
    return Counter(kind for case in cases for kind in {problem.kind for problem in case})
