"""Hours in which a site may not draw power: read from text, and applied to a grid series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

import numpy as np
from numpy.typing import NDArray

from energy.errors import InputError
from energy.facts.grid_series import Series
from energy.local_time import placed, zone_of

Mask = NDArray[np.bool_]

Window = tuple[float, float]
"""Begin and end, in seconds."""


@dataclass(frozen=True)
class Curtailment:
    """Times in which a site may not draw power.

    Attributes:
        daily: windows of every day; one that ends before it begins ends on the next day.
        once: windows of one date, in seconds since 1970.
        zone: of the windows of every day.
    """

    daily: tuple[tuple[time, time], ...] = ()
    once: tuple[Window, ...] = ()
    zone: tzinfo = UTC

    @classmethod
    def of(cls, texts: Sequence[str], timezone: str | None = None) -> Curtailment:
        """Read windows as a user writes them.

        "17:00-21:00" is every day, "2025-07-01T17:00/2025-07-01T21:00" is once.

        Args:
            texts: the windows.
            timezone: of times without an offset ("Europe/Berlin"); UTC by default.

        Raises:
            InputError: a text is neither, or ends when or before it begins; there is no such zone.
        """
        zone = zone_of(timezone)
        daily: list[tuple[time, time]] = []
        once: list[Window] = []
        for text in texts:
            try:
                if "/" in text:
                    begin_s, end_s = _dates(text, zone)
                    ordered = begin_s < end_s
                    once.append((begin_s, end_s))
                else:
                    begin, end = _times(text)
                    ordered = begin != end
                    daily.append((begin, end))
            except (ValueError, OverflowError, OSError) as error:
                raise InputError(
                    "expected --curtail 17:00-21:00 or two ISO times with a slash", text
                ) from error
            if not ordered:
                raise InputError("expected --curtail to end after it begins", text)
        return cls(tuple(daily), tuple(once), zone)

    def cut(self, series: Series) -> Series:
        """The series with an edge at both ends of each window."""
        return series.cut(np.array([end for window in self._windows(series) for end in window]))

    def mask(self, series: Series) -> Mask:
        """Which intervals of a series that was cut lie in a window."""
        middle = (series.edges_s[1:] + series.edges_s[:-1]) / 2
        off: Mask = np.zeros(len(middle), dtype=bool)
        for begin, end in self._windows(series):
            off |= (middle > begin) & (middle < end)
        return off

    def _windows(self, series: Series) -> Iterator[Window]:
        """All windows around a series, in seconds since 1970."""
        first, last = (
            datetime.fromtimestamp(float(series.edges_s[end]), UTC).date() for end in (0, -1)
        )
        for number in range(-1, (last - first).days + 2):
            day = first + timedelta(days=number)
            for begin, end in self.daily:
                until = day if begin < end else day + timedelta(days=1)
                yield self._seconds(day, begin), self._seconds(until, end)
        yield from self.once

    def _seconds(self, day: date, moment: time) -> float:
        return placed(datetime.combine(day, moment), self.zone).timestamp()


NO_CURTAILMENT = Curtailment()


def _times(text: str) -> tuple[time, time]:
    """The times of "17:00-21:00"; ValueError where it has another form."""
    begin, end = (time.fromisoformat(part) for part in text.split("-"))
    if begin.tzinfo or end.tzinfo:
        raise ValueError("an offset")
    return begin, end


def _dates(text: str, zone: tzinfo) -> Window:
    """The seconds since 1970 of two ISO times with a slash; ValueError for another form."""
    begin, end = (datetime.fromisoformat(part) for part in text.split("/"))
    return _seconds(begin, zone), _seconds(end, zone)


def _seconds(moment: datetime, zone: tzinfo) -> float:
    return (moment if moment.tzinfo else placed(moment, zone)).timestamp()
