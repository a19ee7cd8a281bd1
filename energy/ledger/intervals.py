"""Arithmetic of intervals of time: union, difference, common part, length."""

from __future__ import annotations

from collections.abc import Iterable

Interval = tuple[float, float]
"""Begin and end, in seconds."""


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """The moments that lie in any interval, in order and without overlap."""
    joined: list[Interval] = []
    for begin, end in sorted(intervals):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined


def without(interval: Interval, others: list[Interval]) -> list[Interval]:
    """What is left of an interval outside of others, which are in order and do not overlap."""
    left = []
    begin, end = interval
    for other_begin, other_end in others:
        if other_end <= begin or other_begin >= end:
            continue
        if other_begin > begin:
            left.append((begin, other_begin))
        begin = max(begin, other_end)
    if begin < end:
        left.append((begin, end))
    return left


def common(interval: Interval, others: list[Interval]) -> list[Interval]:
    """The parts of an interval that lie in others, which are in order and do not overlap."""
    begin, end = interval
    return [(max(begin, a), min(end, b)) for a, b in others if max(begin, a) < min(end, b)]


def length(intervals: Iterable[Interval]) -> float:
    """Seconds of intervals that do not overlap."""
    return sum(end - begin for begin, end in intervals)
