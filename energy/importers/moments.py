"""Moments of a log: stamps in any zone, clocks that were set back, lines that stand there twice."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterable, Sequence
from datetime import datetime
from operator import itemgetter
from statistics import median
from typing import TypeVar

from energy import units
from energy.local_time import placed, shown, shown_twice, zone_of
from energy.units import S_PER_HOUR

JITTER_S = 1.0
"""Lines may be so much out of order without a clock having been set: boards of one round."""

MOST_SET_BACK_S = 3 * S_PER_HOUR
"""A clock is set back by an hour in autumn; a step of more is a part of a log in a wrong place."""

SOON_S = 30.0
"""Clocks change at a full hour: a log shows lines so near to it, or as near as its pace."""

MOST_PACE_S = 600.0
"""A change of the clocks is not seen in logs with fewer lines."""

LATEST_S = 4_102_444_800.0
"""The year 2100; a later stamp is damaged."""

ASSUMED_UTC = "its times have no zone and are taken as UTC (--timezone names theirs)"

Content = TypeVar("Content", bound=Hashable)
Row = tuple[float, Content]
"""A moment, and what the log says of it."""


class Clock:
    """Reads the stamps of one log, in the order of its lines.

    Args:
        timezone: of stamps that have none ("Europe/Berlin"); UTC by default.
    """

    def __init__(self, timezone: str | None) -> None:
        self._named, self._zone = timezone, zone_of(timezone)
        self._last_s = -math.inf
        self._bare = self._first = 0
        self._unshown: list[str] = []

    def seconds(self, text: str, form: str | None = None, lasting_s: float = 0.0) -> float:
        """Seconds since 1970 of a stamp; of two equal hours of autumn, the one that comes next.

        Args:
            text: the stamp.
            form: of `datetime.strptime`; None for ISO 8601.
            lasting_s: what lies between the stamp before and this one at least.

        Raises:
            ValueError: it is no stamp, or one before 1970 or after 2100.
        """
        moment = datetime.strptime(text, form) if form else datetime.fromisoformat(text)
        bare = moment.tzinfo is None
        try:
            if bare:
                moment = placed(moment, self._zone, self._last_s + lasting_s - JITTER_S)
            seconds = in_range(moment.timestamp())
            self._bare += bare
            self._first += bare and moment.fold == 0 and shown_twice(moment)
            if bare and not shown(moment):
                self._unshown.append(text)
        except (OverflowError, OSError) as error:
            raise ValueError(f"{text} is no moment") from error
        self._last_s = seconds
        return seconds

    def ordered(self, rows: Sequence[Row[Content]]) -> tuple[list[Row[Content]], list[str]]:
        """Rows of the log in order of time, and all that is to be said of its times."""
        straight, notes = in_order(rows)
        return straight, [*notes, *self._leaps([time_s for time_s, _ in straight]), *self.notes()]

    def notes(self) -> list[str]:
        """What is to be said of single stamps."""
        notes = []
        if self._unshown:
            notes.append(
                f"{len(self._unshown):,} of its times are none in {self._named}, whose clocks were "
                f"set forward ({self._unshown[0]}): name the zone of the log with --timezone"
            )
        if self._first == self._bare > 0:
            notes.append(
                f"the clocks of {self._named} show its times twice: taken as those before the "
                "change (--timezone Etc/GMT-1 and the like are fixed)"
            )
        if self._bare and not self._named:
            notes.append(ASSUMED_UTC)
        return notes

    def _leaps(self, times: Sequence[float]) -> list[str]:
        """Gaps of an hour that are a change of the clocks and no pause of the log."""
        if not self._bare:
            return []
        pace_s = pace_of(times)
        near_s = max(pace_s, SOON_S)
        notes = []
        for time_s, later_s in itertools.pairwise(times):
            if pace_s > MOST_PACE_S or abs(later_s - time_s - pace_s - S_PER_HOUR) > near_s:
                continue
            before, after = (datetime.fromtimestamp(s, self._zone) for s in (time_s, later_s))
            span = f"from {before:%Y-%m-%d %H:%M:%S} to {after:%H:%M:%S}"
            if self._named and before.utcoffset() != after.utcoffset():
                notes.append(
                    f"{span}, the clocks of {self._named} show an hour twice and the log once: the "
                    "other is missing, or its times are of another zone (--timezone)"
                )
            elif not self._named and -time_s % S_PER_HOUR <= near_s:
                notes.append(
                    f"its clock went {span}, as in spring: the hour between counts as missing, "
                    "unless --timezone names the zone of its times"
                )
        return notes


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

    A row that stands there twice counts once, but not in autumn. Where a clock was set back, what
    follows counts on from the row before; a part that lies before all others was written in a
    wrong place, and is sorted in. A clock that was set forward looks like a gap.
    """
    parts = _parts(rows)
    pace_s = pace_of(time_s for time_s, _ in rows)
    straight: list[Row[Content]] = []
    notes = []
    seen: dict[Row[Content], None] = {}
    copies = 0
    for part in parts:
        whole = list(dict.fromkeys(part))
        autumn = bool(straight) and _in_autumn(straight[-1][0], part[0][0], pace_s)
        if autumn and whole != straight[: len(whole)]:
            new = whole
        else:
            autumn, new = False, [row for row in whole if row not in seen]
        copies += len(part) - len(new)
        seen.update(dict.fromkeys(new))
        back_s = straight[-1][0] - new[0][0] if straight and new else 0.0
        before_all = bool(straight and new) and new[-1][0] <= straight[0][0]
        if back_s <= JITTER_S:
            straight += new
        elif not autumn and (before_all or back_s > MOST_SET_BACK_S):
            notes.append("parts in a wrong order were sorted by their times")
            straight = sorted([*new, *straight], key=itemgetter(0))
        else:
            shift_s = S_PER_HOUR if autumn else back_s + pace_s
            shown_s = units.duration(shift_s)
            notes.append(f"its clock was set back by {shown_s}: later times count on from there")
            straight += [(time_s + shift_s, content) for time_s, content in new]
    if copies:
        notes.insert(0, f"{copies:,} lines stand there twice and count once")
    return sorted(straight, key=itemgetter(0)), list(dict.fromkeys(notes))


def _in_autumn(reached_s: float, first_s: float, pace_s: float) -> bool:
    """Whether a step back is that of autumn: from the end of an hour to its beginning."""
    near_s = max(pace_s, SOON_S)
    return (
        abs(reached_s + pace_s - first_s - S_PER_HOUR) <= near_s
        and -reached_s % S_PER_HOUR <= near_s
        and pace_s <= MOST_PACE_S
    )


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
