"""A series of grid intensity over time, read from a user's CSV file and checked line by line.

Columns: `time`, the start of each row in ISO 8601 (without an offset it is UTC), and one of
`g_per_kwh` (also written `g/kWh`) or `kgco2e_per_kwh`. Rows follow each other at one step of at
most a day, or start the months one after the other. The last row is as long as the one before,
or lasts to the end of its month. A gap, a row out of order or a wrong unit is an error that names
its line: nothing is filled in.

    time,g_per_kwh
    2025-01-01T00:00Z,312
    2025-01-01T01:00Z,305
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from energy.errors import InputError, reason
from energy.units import G_PER_KG, S_PER_DAY

Array = NDArray[np.float64]


SCALES = {"g_per_kwh": 1.0, "g/kwh": 1.0, "kgco2e_per_kwh": G_PER_KG}


MOST_G_PER_KWH = 3000.0
"""No grid is dirtier: old lignite stands at some 1,200; more is a unit that was mistaken."""


@dataclass(frozen=True)
class Series:
    """Grid intensity, constant within each of its intervals.

    Attributes:
        edges_s: n + 1 ascending times, seconds since 1970 in UTC.
        g_per_kwh: n intensities.
        source: where it comes from.
    """

    edges_s: Array
    g_per_kwh: Array
    source: str

    @property
    def span_s(self) -> float:
        """Seconds from its start to its end."""
        return float(self.edges_s[-1] - self.edges_s[0])

    @property
    def mean_g_per_kwh(self) -> float:
        """Mean over the time of the whole series: the flat factor."""
        return float(np.average(self.g_per_kwh, weights=np.diff(self.edges_s)))

    def repeated(self, times: int) -> Series:
        """The series after itself, `times` times in all."""
        shifts = [self.edges_s[1:] + n * self.span_s for n in range(times)]
        return Series(
            np.concatenate([self.edges_s[:1], *shifts]), np.tile(self.g_per_kwh, times), self.source
        )

    def cut(self, times_s: Array) -> Series:
        """The same intensities with more edges; times outside are left out."""
        inside = times_s[(times_s > self.edges_s[0]) & (times_s < self.edges_s[-1])]
        edges = np.unique(np.concatenate([self.edges_s, inside]))
        return Series(edges, self.at(edges[:-1]), self.source)

    def at(self, times_s: Array) -> Array:
        """Intensity at times inside the series."""
        place = np.searchsorted(self.edges_s, times_s, side="right") - 1
        return self.g_per_kwh[np.clip(place, 0, len(self.g_per_kwh) - 1)]


def read(path: Path) -> Series:
    """Read a series from a CSV file.

    Raises:
        InputError: there is no such file, or a line of it is wrong; the message names the line.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return _read(file, path.name)
    except OSError as error:
        raise InputError(f"expected a grid series at {path}", reason(error)) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"expected a CSV file at {path}", reason(error)) from error


def _read(file: TextIO, name: str) -> Series:
    rows = csv.reader(file)
    header = [cell.strip().lower() for cell in next(rows, [])]
    units = [cell for cell in header if cell in SCALES]
    if "time" not in header or len(units) != 1:
        raise InputError(
            f"expected the columns time and one of g_per_kwh, kgco2e_per_kwh in {name} line 1",
            ", ".join(header) or "an empty file",
        )
    scale = SCALES[units[0]]
    places = header.index("time"), header.index(units[0])
    times: list[datetime] = []
    values: list[float] = []
    for line, time, value in _cells(rows, places, name):
        times.append(_time(time, line, name))
        values.append(_intensity(value, scale, line, name))
        if (times[-1].tzinfo is None) != (times[0].tzinfo is None):
            raise InputError(
                f"expected times all with or all without an offset in {name} line {line}", time
            )
        _in_step(times, line, name)
    if len(times) < 2:
        raise InputError(f"expected two rows or more in {name}", f"{len(times)}")
    starts = [_seconds(time) for time in times]
    end = _seconds(_month_after(times[-1])) if _monthly(times) else 2 * starts[-1] - starts[-2]
    return Series(np.array([*starts, end]), np.array(values), name)


def _cells(
    rows: Iterator[list[str]], places: tuple[int, int], name: str
) -> Iterator[tuple[int, str, str]]:
    """The line number and the two cells of each row that is not empty."""
    for line, row in enumerate(rows, start=2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) <= max(places):
            raise InputError(f"expected a time and a value in {name} line {line}", ",".join(row))
        yield line, row[places[0]].strip(), row[places[1]].strip()


def _time(text: str, line: int, name: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            f"expected a time as 2025-01-31T13:00Z in {name} line {line}", text or "nothing"
        ) from error


def _intensity(text: str, scale: float, line: int, name: str) -> float:
    try:
        found = float(text) * scale
    except ValueError:
        found = math.nan
    if not 0 <= found < math.inf:
        raise InputError(
            f"expected an intensity of 0 or more in {name} line {line}",
            text or "nothing",
            "fill gaps in the data before",
        )
    if found > MOST_G_PER_KWH:
        raise InputError(
            f"expected less than {MOST_G_PER_KWH:,.0f} g/kWh in {name} line {line}",
            f"{found:,.0f} g/kWh",
            "is the column named by the right unit?",
        )
    return found


def _in_step(times: list[datetime], line: int, name: str) -> None:
    """Check that the newest time follows at the step of the first two, or starts the next month."""
    if len(times) < 2:
        return
    step, first = _seconds(times[-1]) - _seconds(times[-2]), _seconds(times[1]) - _seconds(times[0])
    if step <= 0:
        raise InputError(
            f"expected times that ascend in {name} line {line}",
            times[-1].isoformat(),
            "clocks that change: write UTC",
        )
    if _monthly(times[-2:]) and _monthly(times[:2]):
        return
    if step != first or first > S_PER_DAY:
        raise InputError(
            f"expected every row {min(first, S_PER_DAY) / 3600:g} h after the one before, or "
            f"months, in {name} line {line}",
            f"{step / 3600:g} h",
            "fill gaps in the data before",
        )


def _monthly(times: list[datetime]) -> bool:
    """Whether these times start one month after the other."""
    return all(_month_after(a) == b for a, b in pairwise(times))


def _month_after(time: datetime) -> datetime:
    """A month later by the calendar, on the first of the month; else no month at all."""
    if (time.day, time.hour, time.minute, time.second) != (1, 0, 0, 0):
        return datetime.min.replace(tzinfo=time.tzinfo)
    years, month = divmod(time.month, 12)
    return time.replace(year=time.year + years, month=month + 1)


def _seconds(time: datetime) -> float:
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
