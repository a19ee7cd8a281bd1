"""What a reader of a record should know of its ledger: what was cut short, doubted or refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from energy import units
from energy.ledger.curve import JUMP, RESET, TURNS
from energy.ledger.incidents import sentence
from energy.ledger.lines import RAISED, Row
from energy.ledger.power import PowerTrack
from energy.ledger.segment import LOST, Segment
from energy.ledger.wasted import resumes_from_checkpoint

ENDS = {
    "parent died": "the run was killed; metering ended in order",
    LOST: "nothing is known after the last sample: run and sampler were killed, or no row could be "
    "written any more",
}
"""What the end of a segment means, where it is worth a note."""

RESTARTED = (
    "the run was started again after an interruption and did not say from where (resume_at): "
    "the joules of all attempts count"
)
"""What a reader of a record should know of a restart that did not say what it repeats."""

NOTED = (RESET, JUMP, TURNS)
"""Breaks in a counter that have a note of their own."""


def notes_of(
    segments: list[Segment], damaged: list[int], refused: Mapping[str, str] | None = None
) -> list[str]:
    """Notes on the segments of a ledger, on its doubtful readings, and on lines left out.

    Args:
        segments: the segments.
        damaged: numbers of the lines that were left out.
        refused: domains that contradict others, with the reason.
    """
    notes = [
        f"segment {i}: {text}"
        for i, segment in enumerate(segments, start=1)
        for text in _of_segment(segment)
    ]
    notes += [
        f"segment {i}: {RESTARTED}"
        for i, segment in enumerate(segments, start=1)
        if i > 1
        and segment.header.get("resume_at") is None
        and not resumes_from_checkpoint(segments, i - 1)
    ]
    notes += _of_meters(segments)
    notes += [f"{name}: {reason}" for name, reason in (refused or {}).items()]
    if damaged:
        notes.append(
            f"{len(damaged)} damaged lines of the ledger were left out, first line {damaged[0]}; "
            "what counters show in the lines around them counts, other readings in them are missing"
        )
    return notes


def doubts(segment: Segment) -> Iterator[str]:
    """What cannot be true in the readings of a segment, domain by domain."""
    for name, curve in segment.curves.items():
        doubted = curve.doubted()
        if doubted:
            time_s, value = doubted[0]
            unit = "W" if isinstance(curve, PowerTrack) else "J"
            some, shown = f"{len(doubted):,} readings", "they show, first"
            if len(doubted) == 1:
                some, shown = "a reading", "it shows,"
            yield (
                f"{name}: {some} set aside: the device cannot have drawn what {shown} "
                f"{units.si(value, unit)} at {time_s - segment.start_s:.1f} s"
            )
        for why in NOTED:
            breaks = [step for step in curve.breaks if step.why == why]
            if breaks:
                first = breaks[0]
                often = "" if len(breaks) == 1 else f" {len(breaks):,} times, first"
                yield (
                    f"{name}: {why}{often} between {first.begin_s - segment.start_s:.1f} and "
                    f"{first.end_s - segment.start_s:.1f} s, from {units.si(first.before, 'J')} "
                    f"to {units.si(first.after, 'J')}: nothing is known of the time between"
                )


def contradictory_counters(segment: Segment) -> Iterator[str]:
    """Boards whose counter and power contradict each other."""
    for name, check in segment.checks.items():
        ratio = check.disagreement(segment.coverage(name))
        if ratio is not None:
            yield (
                f"{name}: its counter shows {ratio:.2f} times its power, which is "
                f"{units.si(check.mean_w, 'W')} in {check.count:,} checks: the band holds both"
            )


def _of_segment(segment: Segment) -> Iterator[str]:
    if segment.end in ENDS:
        yield ENDS[segment.end]
    for mark in segment.marks:
        if mark.get("kind") == RAISED:
            yield str(mark.get("fields", {}).get("why", "the run raised"))
    for row in segment.incidents:
        yield sentence(row) + _seconds(row)
    yield from doubts(segment)
    yield from contradictory_counters(segment)


def _of_meters(segments: list[Segment]) -> list[str]:
    """What the meters say of their own joules, each text once with the devices that it is about."""
    devices: dict[str, list[str]] = {}
    for segment in segments:
        for domain in segment.header["domains"]:
            if domain.get("note"):
                names = devices.setdefault(domain["note"], [])
                names += [domain["id"]] if domain["id"] not in names else []
    return [f"{', '.join(names)}: {text}" for text, names in devices.items()]


def _seconds(row: Row) -> str:
    """The seconds of an incident, if its row has them."""
    return f" ({row['s']:+.0f} s)" if "s" in row else ""
