"""Stretches of time: unions, gaps and lengths."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

Span = tuple[float, float]
"""Begin and end, in seconds."""


def union(spans: Iterable[Span]) -> list[Span]:
    """The same time in stretches that neither overlap nor touch, in order."""
    merged: list[Span] = []
    for begin, end in sorted(span for span in spans if span[1] > span[0]):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((begin, end))
    return merged


def within(spans: Iterable[Span], bounds: Span) -> list[Span]:
    """The parts of stretches that lie between two moments."""
    begin, end = bounds
    return union((max(a, begin), min(b, end)) for a, b in spans)


def gaps(spans: Iterable[Span], bounds: Span) -> list[Span]:
    """The time between two moments that no stretch covers."""
    edges = [bounds[0]]
    for begin, end in within(spans, bounds):
        edges += [begin, end]
    edges.append(bounds[1])
    return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b > a]


def seconds(spans: Sequence[Span]) -> float:
    """Length of stretches that do not overlap."""
    return sum(end - begin for begin, end in spans)


def between_readings(moments: Sequence[float], most_s: float) -> list[Span]:
    """The time between readings that are no further apart than `most_s`; moments ascend."""
    return union((a, b) for a, b in pairwise(moments) if b - a <= most_s)


def widened(spans: Iterable[Span], before_s: float, after_s: float) -> list[Span]:
    """The same stretches, each beginning and ending so much earlier and later."""
    return union((begin - before_s, end + after_s) for begin, end in spans)
