"""Which stretches of a ledger were wasted: repeated after a restart, or thrown away.

A header with "resume_at" throws away what came after that point. A mark of kind "wasted" throws
away what came before it, back to a moment ("since_ns") or to a step ("since_step"). An attempt that
died, of a job whose launcher counts its attempts, loses what came after its last mark "checkpoint",
if no header says otherwise. A checkpoint that is written in the background has two marks:
"captured", once its state is, and "checkpoint", once it is on disk.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from energy.ledger.intervals import union
from energy.ledger.job import attempt_of
from energy.ledger.lines import CHECKPOINT, CLOSED, RAISED, Row
from energy.ledger.segment import LOST, Segment

CAPTURED = "captured"
"""Mark of the moment that a checkpoint which is still to be written has the state of."""

Span = tuple[Segment, float, float]
"""A stretch of a segment, from one monotonic second to another."""

Stretch = tuple[int, float, float]
"""A stretch of the segment with this index."""


def wasted_spans(segments: list[Segment]) -> list[Span]:
    """What was spent on work that was thrown away; no moment is counted twice.

    A segment that resumes at {"step": k} throws away what earlier segments did after their last
    mark with step k or less, because the mark of step k itself may have died with the sampler.
    Without such a mark, everything they did is thrown away.
    """
    by_segment: dict[int, list[tuple[float, float]]] = {}
    for i in range(len(segments)):
        for j, start, stop in (*_repeated(segments, i), *_discarded(segments, i)):
            by_segment.setdefault(j, []).append(
                (max(start, segments[j].start_s), min(stop, segments[j].stop_s))
            )
    return [
        (segments[j], start, stop)
        for j, stretches in sorted(by_segment.items())
        for start, stop in union(stretches)
        if start < stop
    ]


def wasted_windows(segment: Segment, wasted: list[Span]) -> NDArray[np.bool_]:
    """Which windows of a segment ended in a wasted stretch; they may end after the last sample."""
    ends = np.asarray(segment.windows.ends)
    lost = np.zeros(len(ends), dtype=bool)
    for other, start, stop in wasted:
        if other is segment:
            lost |= (start < ends) & ((ends <= stop) | (stop >= segment.stop_s))
    return lost


def counted(segments: list[Segment], wasted: list[Span], kind: str, *, lost: bool = False) -> float:
    """Work that the marks of a run count, without what was thrown away.

    Args:
        segments: of the run.
        wasted: its wasted stretches.
        kind: of the marks, as TOKENS.
        lost: count what was thrown away, and nothing else.
    """
    # What was counted after the last sample of a lost stretch was lost with it.
    stretches = {
        id(segment): [
            (start, stop if stop < segment.stop_s else math.inf)
            for s, start, stop in wasted
            if s is segment
        ]
        for segment in segments
    }
    return math.fsum(
        count
        for segment in segments
        for mark in segment.marks
        if mark.get("kind") == kind
        and isinstance(count := mark.get("fields", {}).get("count"), int | float)
        and 0 <= count < math.inf
        and lost == any(a < mark["m"] / 1e9 <= b for a, b in stretches[id(segment)])
    )


def has_died(segments: list[Segment], i: int) -> bool:
    """Whether segment i did not end in order: its run was killed, or raised.

    One without an end that nothing follows may still be going on.
    """
    segment = segments[i]
    if segment.end == LOST:
        return i < len(segments) - 1
    return segment.end != CLOSED or any(mark.get("kind") == RAISED for mark in segment.marks)


def resumes_from_checkpoint(segments: list[Segment], i: int) -> bool:
    """Whether segment i is an attempt that goes on from a marked checkpoint of one that died."""
    return bool(i and _is_next_attempt(segments, i) and list(_since_checkpoint(segments, i - 1)))


def _repeated(segments: list[Segment], i: int) -> Iterator[Stretch]:
    """What segment i does again, because it resumes from an earlier point."""
    if resume_at := segments[i].header.get("resume_at"):
        yield from _since(segments, i - 1, math.inf, resume_at)
    elif i and _is_next_attempt(segments, i):
        yield from _since_checkpoint(segments, i - 1)
    if i == len(segments) - 1 and has_died(segments, i) and _attempt(segments[i]):
        yield from _since_checkpoint(segments, i)


def _attempt(segment: Segment) -> str:
    return attempt_of(segment.header.get("job") or {})


def _is_next_attempt(segments: list[Segment], i: int) -> bool:
    """Whether segment i follows on an attempt that died, and does not say where it resumes."""
    before, own = segments[i - 1], segments[i]
    return (
        own.header.get("resume_at") is None
        and has_died(segments, i - 1)
        and "" not in (_attempt(before), _attempt(own))
        and _attempt(before) != _attempt(own)
    )


def _since_checkpoint(segments: list[Segment], last: int) -> list[Stretch]:
    """From the last checkpoint to the end of segment `last`; nothing where none was marked."""
    stretches = []
    for j in range(last, -1, -1):
        marks = segments[j].marks
        saved_s = [_saved_s(m, marks) for m in marks if m.get("kind") == CHECKPOINT]
        stretches.append((j, max(saved_s, default=segments[j].start_s), segments[j].stop_s))
        if saved_s:
            return stretches
    return []


def _saved_s(checkpoint: Row, marks: list[Row]) -> float:
    """When the state of a checkpoint was reached: at the mark of its step, or once it was captured.

    Its own mark comes when it is on disk, and training may have gone on meanwhile.
    """
    step, marked_ns = _step(checkpoint), checkpoint["m"]
    if isinstance(step, int | float):
        reached = [
            mark["m"]
            for mark in marks
            if mark.get("kind") in ("step", CAPTURED) and _at_or_before(mark, {"step": step})
        ]
        marked_ns = min(marked_ns, max(reached, default=marked_ns))
    return float(marked_ns) / 1e9


def _discarded(segments: list[Segment], i: int) -> Iterator[Stretch]:
    """What the marks of segment i throw away."""
    for mark in segments[i].marks:
        fields = mark.get("fields", {})
        if mark.get("kind") != "wasted":
            continue
        if isinstance(since_ns := fields.get("since_ns"), int | float):
            yield i, since_ns / 1e9, mark["m"] / 1e9
        elif isinstance(since_step := fields.get("since_step"), int | float):
            yield from _since(segments, i, mark["m"] / 1e9, {"step": since_step})


def _since(
    segments: list[Segment], last: int, stop_s: float, point: Mapping[str, float]
) -> Iterator[Stretch]:
    """From the last mark at or before a point of the run to a moment of segment `last`."""
    for j in range(last, -1, -1):
        until = stop_s if j == last else math.inf
        marks = segments[j].marks
        captured = {_step(mark) for mark in marks if mark.get("kind") == CAPTURED}
        reached_s = [
            mark["m"] / 1e9
            for mark in marks
            if _at_or_before(mark, point)
            and mark["m"] / 1e9 <= until
            and not (mark.get("kind") == CHECKPOINT and _step(mark) in captured)
        ]
        start = max(reached_s) if reached_s else segments[j].start_s
        ends = np.asarray(segments[j].windows.ends)
        if np.any((start < ends) & (ends <= until)):
            yield j, start, min(until, segments[j].stop_s)
        # Without a window it ended where it is resumed: its last moments are overhead, not waste.
        if reached_s:
            return


def _step(mark: Row) -> object:
    return mark.get("fields", {}).get("step")


def _at_or_before(mark: Row, point: Mapping[str, float]) -> bool:
    """Whether a mark lies at or before a point of the run, by the keys of the point."""
    fields = mark.get("fields", {})
    if not all(isinstance(fields.get(key), int | float) for key in point):
        return False
    return [fields[key] for key in point] <= list(point.values())
