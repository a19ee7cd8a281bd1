"""Which stretches of a ledger were spent for nothing: done again after a restart, or thrown away.

A header with "resume_at" throws away what came after that point. A mark of kind "wasted" throws
away what came before it, since a moment ("since_ns") or since a step ("since_step").
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from energy.ledger.segment import Row, Segment

Span = tuple[Segment, float, float]
"""A stretch of a segment: from one monotonic second to another."""


def wasted_spans(segments: list[Segment]) -> list[Span]:
    """What was spent on work that was thrown away, each moment once.

    A segment that resumes at {"step": k} throws away all that earlier segments did after their
    last mark with step k or before it: the mark of step k itself may have died with the sampler.
    Where there is no such mark, all of it is thrown away.
    """
    lost: dict[int, list[tuple[float, float]]] = {}
    for i, segment in enumerate(segments):
        found: list[tuple[int, float, float]] = []
        if resume := segment.header.get("resume_at"):
            found += _since(segments, i - 1, math.inf, resume)
        for mark in segment.marks:
            fields = mark.get("fields", {})
            if mark.get("kind") != "wasted":
                continue
            if isinstance(since_ns := fields.get("since_ns"), int | float):
                found.append((i, since_ns / 1e9, mark["m"] / 1e9))
            elif isinstance(since_step := fields.get("since_step"), int | float):
                found += _since(segments, i, mark["m"] / 1e9, {"step": since_step})
        for j, start, stop in found:
            lost.setdefault(j, []).append(
                (max(start, segments[j].start_s), min(stop, segments[j].stop_s))
            )
    return [
        (segments[j], start, stop)
        for j, stretches in sorted(lost.items())
        for start, stop in _merged(stretches)
        if start < stop
    ]


def is_lost(row: Row, segment: Segment, lost: list[Span]) -> bool:
    """Whether a window ended within a wasted stretch; one may end after the last sample."""
    end = row["m1"] / 1e9
    return any(
        segment is other and start < end and (end <= stop or stop >= segment.stop_s)
        for other, start, stop in lost
    )


def _since(
    segments: list[Segment], last: int, stop_s: float, point: Mapping[str, float]
) -> Iterator[tuple[int, float, float]]:
    """From the last mark at or before a point of the run to a moment of segment `last`."""
    for j in range(last, -1, -1):
        stop = min(stop_s if j == last else math.inf, segments[j].stop_s)
        until = stop_s if j == last else math.inf
        kept = [
            mark["m"] / 1e9
            for mark in segments[j].marks
            if _reached(mark, point) and mark["m"] / 1e9 <= until
        ]
        start = max(kept) if kept else segments[j].start_s
        if any(start < row["m1"] / 1e9 <= until for row in segments[j].windows):
            yield j, start, stop
        # Else it ended where it is taken up again: its last moments are overhead, not waste.
        if kept:
            return


def _reached(mark: Row, point: Mapping[str, float]) -> bool:
    """Whether a mark lies at or before a point of the run, counted by the point's keys."""
    fields = mark.get("fields", {})
    if not all(isinstance(fields.get(key), int | float) for key in point):
        return False
    return [fields[key] for key in point] <= list(point.values())


def _merged(stretches: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Stretches without their overlaps, in order."""
    found: list[tuple[float, float]] = []
    for start, stop in sorted(stretches):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(stop, found[-1][1]))
        else:
            found.append((start, stop))
    return found
