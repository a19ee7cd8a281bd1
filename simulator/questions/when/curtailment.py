"""Hours in which a site may not draw power: read from text, and applied to a grid series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time

import numpy as np
from numpy.typing import NDArray

from energy.errors import InputError
from energy.facts.grid_series import Series
from energy.units import S_PER_DAY, S_PER_HOUR

Mask = NDArray[np.bool_]

Window = tuple[float, float]
"""Begin and end, in seconds."""


@dataclass(frozen=True)
class Curtailment:
    """Times in which a site may not draw power.

    Attributes:
        daily: windows of every day, in seconds of the day (UTC); one that ends before it begins
            ends on the next day.
        once: windows of one date, in seconds since 1970.
    """

    daily: tuple[Window, ...] = ()
    once: tuple[Window, ...] = ()

    @classmethod
    def of(cls, texts: Sequence[str]) -> Curtailment:
        """Read windows as a user writes them.

        "17:00-21:00" is every day, "2025-07-01T17:00/2025-07-01T21:00" is once; UTC.

        Raises:
            InputError: a text is neither, or ends when or before it begins.
        """
        daily: list[Window] = []
        once: list[Window] = []
        for text in texts:
            try:
                window = _dates(text) if "/" in text else _times(text)
            except ValueError as error:
                raise InputError(
                    "expected --curtail 17:00-21:00 or two ISO times with a slash", text
                ) from error
            begin, end = window
            if begin == end or ("/" in text and begin > end):
                raise InputError("expected --curtail to end after it begins", text)
            (once if "/" in text else daily).append(window)
        return cls(tuple(daily), tuple(once))

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
        first = np.floor(series.edges_s[0] / S_PER_DAY) - 1
        days = np.arange(first, np.ceil(series.edges_s[-1] / S_PER_DAY) + 1) * S_PER_DAY
        for begin, end in self.daily:
            until = end + (S_PER_DAY if end <= begin else 0)
            for day in days.tolist():
                yield day + begin, day + until
        yield from self.once


NO_CURTAILMENT = Curtailment()


def _times(text: str) -> Window:
    """The seconds of the day of "17:00-21:00"; ValueError where it has another form."""
    begin, end = (time.fromisoformat(part) for part in text.split("-"))
    return _of_day_s(begin), _of_day_s(end)


def _dates(text: str) -> Window:
    """The seconds since 1970 of two ISO times with a slash; ValueError for another form."""
    begin, end = (datetime.fromisoformat(part) for part in text.split("/"))
    return _utc_s(begin), _utc_s(end)


def _utc_s(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _of_day_s(moment: time) -> float:
    return S_PER_HOUR * moment.hour + 60.0 * moment.minute + moment.second
