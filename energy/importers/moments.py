"""Moments of a log: stamps in any zone, clocks that were set back, lines that stand there twice."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from statistics import median
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from energy import units
from energy.errors import InputError
from energy.units import S_PER_HOUR

JITTER_S = 1.0
"""Lines may be so much out of order without a clock having been set: boards of one round."""

MOST_SET_BACK_S = 3 * S_PER_HOUR
"""A clock is set back by an hour in autumn; a step of more is a part of a log in a wrong place."""

AUTUMN_S = 30.0
"""A step back that is so near to an hour is that of autumn."""

LATEST_S = 4_102_444_800.0
"""The year 2100; a later stamp is damaged."""

ASSUMED_UTC = "its times have no zone and are taken as UTC (--timezone names theirs)"

Content = TypeVar("Content", bound=Hashable)
Row = tuple[float, Content]
"""A moment, and what the log says of it."""


def zone_of(name: str | None) -> tzinfo:
    """The zone of a name; UTC without one.

    Raises:
        InputError: there is no such zone.
    """
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InputError("expected a time zone", str(name), "name one as Europe/Berlin") from error


def seconds_of(text: str, form: str | None, zone: tzinfo) -> float:
    """Seconds since 1970 of a stamp.

    Args:
        text: the stamp.
        form: of `datetime.strptime`; None for ISO 8601.
        zone: of a stamp that has none.

    Raises:
        ValueError: it is no stamp, or one before 1970 or after 2100.
    """
    moment = datetime.strptime(text, form) if form else datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    try:
        seconds = moment.timestamp()
    except (OverflowError, OSError) as error:
        raise ValueError(f"{text} is no moment") from error
    return in_range(seconds)


def in_range(seconds: float) -> float:
    """Seconds since 1970, or since a run began.

    Raises:
        ValueError: they are negative, or those of a year after 2100.
    """
    if not 0 <= seconds < LATEST_S:
        raise ValueError(f"{seconds:g} s is no moment")
    return seconds


def in_order(rows: Sequence[Row[Content]]) -> tuple[list[Row[Content]], list[str]]:
    """Rows of a log in order of time, and what was done for that.

    A row that stands there twice counts once. Where a clock was set back, what follows counts on
    from the row before; a part that lies before all others was written in a wrong place, and is
    sorted in. A clock that was set forward looks like a gap.
    """
    once = list(dict.fromkeys(rows))
    notes = []
    if copies := len(rows) - len(once):
        notes.append(f"{copies:,} lines stand there twice and count once")
    parts = _parts(once)
    pace_s = pace_of(time_s for time_s, _ in once)
    straight = list(parts[0]) if parts else []
    for part in parts[1:]:
        reached_s, first_s = straight[-1][0], part[0][0]
        back_s = reached_s - first_s
        before_all = part[-1][0] <= straight[0][0]
        if before_all or back_s > MOST_SET_BACK_S:
            notes.append("parts in a wrong order were sorted by their times")
            straight = sorted([*part, *straight], key=lambda row: row[0])
            continue
        shift_s = back_s + pace_s
        if abs(shift_s - S_PER_HOUR) < AUTUMN_S:
            shift_s = S_PER_HOUR
        notes.append(
            f"its clock was set back by {units.duration(shift_s)}: later times count on from there"
        )
        straight += [(time_s + shift_s, content) for time_s, content in part]
    return sorted(straight, key=lambda row: row[0]), list(dict.fromkeys(notes))


def _parts(rows: Sequence[Row[Content]]) -> list[list[Row[Content]]]:
    """The rows, divided where the time goes back."""
    parts: list[list[Row[Content]]] = []
    for row in rows:
        if not parts or row[0] < parts[-1][-1][0] - JITTER_S:
            parts.append([])
        parts[-1].append(row)
    return parts


def pace_of(moments: Iterable[float]) -> float:
    """Median seconds between two moments; 0 if there is only one."""
    steps = [later - moment for moment, later in itertools.pairwise(sorted(set(moments)))]
    return median(steps) if steps else 0.0
