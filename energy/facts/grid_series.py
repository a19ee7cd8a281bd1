"""A series of grid intensity over time, read from a user's CSV file and checked line by line.

The columns are `time`, the start of each row in ISO 8601 (UTC if it has no offset and no zone is
named), and one of `g_per_kwh` (also written `g/kWh`) or `kgco2e_per_kwh`; other layouts are in
`energy.facts.grid_layouts`. The rows follow each other at a constant
step of at most a day, or are months. The last row is as long as the one before it, or lasts to the
end of its month. A gap, a row out of order or a wrong unit is an error that names its line: no
value is filled in.

    time,g_per_kwh
    2025-01-01T00:00Z,312
    2025-01-01T01:00Z,305
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from energy.errors import InputError, reason
from energy.facts.grid_entsoe import rows_of_xml
from energy.facts.grid_layouts import AVERAGE, Layout, layout, rows_of_json
from energy.inputs import read_text
from energy.local_time import placed, shown, zone_of
from energy.units import S_PER_DAY, S_PER_HOUR

Array = NDArray[np.float64]

MOST_G_PER_KWH = 3000.0
"""An upper limit for any grid: old lignite plants emit some 1,200; more means a wrong unit."""

LEAST_PEAK_G_PER_KWH = 1.5
"""A lower limit for the dirtiest hour of any grid: hydropower alone has 4 to 24 over its life, and
kilograms a kWh are at most 1.2."""


LEAST_STEP_S = 1.0
"""Rows follow each other by so much at least."""


@dataclass(frozen=True)
class Series:
    """Grid intensity, constant within each of its intervals.

    Attributes:
        edges_s: n + 1 ascending times, seconds since 1970 in UTC.
        g_per_kwh: n intensities.
        source: where it comes from.
        signal: average, or marginal: what one kWh more would cause, which is no footprint.
    """

    edges_s: Array
    g_per_kwh: Array
    source: str
    signal: str = AVERAGE

    @property
    def span_s(self) -> float:
        """Seconds from its start to its end."""
        return float(self.edges_s[-1] - self.edges_s[0])

    @property
    def mean_g_per_kwh(self) -> float:
        """Mean over the whole series, weighted by time: the flat factor."""
        return float(np.average(self.g_per_kwh, weights=np.diff(self.edges_s)))

    def repeated(self, times: int) -> Series:
        """The series one after the other, `times` times in all."""
        shifts = [self.edges_s[1:] + n * self.span_s for n in range(times)]
        return replace(
            self,
            edges_s=np.concatenate([self.edges_s[:1], *shifts]),
            g_per_kwh=np.tile(self.g_per_kwh, times),
        )

    def cut(self, times_s: Array) -> Series:
        """The same intensities with additional edges; times outside the series are ignored."""
        inside = times_s[(times_s > self.edges_s[0]) & (times_s < self.edges_s[-1])]
        edges = np.unique(np.concatenate([self.edges_s, inside]))
        return replace(self, edges_s=edges, g_per_kwh=self.at(edges[:-1]))

    def at(self, times_s: Array) -> Array:
        """Intensity at times inside the series."""
        place = np.searchsorted(self.edges_s, times_s, side="right") - 1
        return self.g_per_kwh[np.clip(place, 0, len(self.g_per_kwh) - 1)]


def read_series(
    path: Path,
    *,
    column: str | None = None,
    time_column: str | None = None,
    timezone: str | None = None,
) -> Series:
    """Read a series from a CSV file, or from the answer of an API in JSON or XML.

    Args:
        path: of the file; `energy.facts.grid_layouts` says which are known.
        column: name of the column of intensities, or a part of it.
        time_column: name of the column of times.
        timezone: of times without an offset ("Europe/Berlin"); UTC by default.

    Raises:
        InputError: there is no such file, or a line of it is wrong; the message names the line.
    """
    zone = zone_of(timezone) if timezone else None
    text = read_text(path, "a grid series")
    start = text.lstrip()[:1]
    try:
        if start == "{":
            rows = rows_of_json(text, path.name)
        elif start == "<":
            rows = rows_of_xml(text, path.name)
        else:
            rows = list(csv.reader(text.splitlines(keepends=True)))
    except csv.Error as error:
        raise InputError(f"expected a CSV file at {path}", reason(error)) from error
    return _read(rows, path.name, layout(rows, path.name, column, time_column), zone)


def _read(rows: list[list[str]], name: str, columns: Layout, zone: tzinfo | None) -> Series:
    times: list[datetime] = []
    values: list[float] = []
    cells = list(_cells(rows[1:], (columns.time, columns.value), name))
    if len(cells) > 1 and _descends(cells):
        cells.reverse()
    for line, time, value in cells:
        moment = _time(time, line, name)
        if moment.tzinfo is None and zone is not None and not columns.in_utc:
            before_s = _seconds(times[-1]) + LEAST_STEP_S if times else -math.inf
            moment = placed(moment, zone, before_s)
            if not shown(moment):
                raise InputError(
                    f"expected times of {zone} in {name} line {line}",
                    f"{time}, an hour that its clocks leave out in spring",
                    "name the zone of the times with --timezone",
                )
        times.append(moment)
        values.append(_intensity(value, columns.scale, line, name))
        if (times[-1].tzinfo is None) != (times[0].tzinfo is None):
            raise InputError(
                f"expected times all with or all without an offset in {name} line {line}", time
            )
        _check_step(times, line, name)
    if len(times) < 2:
        raise InputError(f"expected two rows or more in {name}", f"{len(times)}")
    if 0 < max(values) < LEAST_PEAK_G_PER_KWH:
        raise InputError(
            f"expected grams a kWh in {name}",
            f"at most {max(values):g}: kilograms under a heading of grams?",
            "name their column kgco2e_per_kwh where they are",
        )
    starts = [_seconds(time) for time in times]
    end = _seconds(_month_after(times[-1])) if _monthly(times) else 2 * starts[-1] - starts[-2]
    return Series(np.array([*starts, end]), np.array(values), name, columns.signal)


def _descends(cells: list[tuple[int, str, str]]) -> bool:
    """Whether the times run backwards, as some services hand them out; in autumn not all do."""
    try:
        times = [_seconds(datetime.fromisoformat(time)) for _, time, _ in cells]
    except (ValueError, OverflowError):
        return False
    return sum(later < time for time, later in pairwise(times)) > len(times) // 2


def _cells(
    rows: list[list[str]], columns: tuple[int, int], name: str
) -> Iterator[tuple[int, str, str]]:
    """The line number and the two cells of each row that is not empty."""
    for line, row in enumerate(rows, start=2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) <= max(columns):
            raise InputError(f"expected a time and a value in {name} line {line}", ",".join(row))
        yield line, row[columns[0]].strip(), row[columns[1]].strip()


def _time(text: str, line: int, name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        moment.timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise InputError(
            f"expected a time as 2025-01-31T13:00Z in {name} line {line}", text or "nothing"
        ) from error
    return moment


def _intensity(text: str, scale: float, line: int, name: str) -> float:
    """An intensity in g/kWh."""
    try:
        grams = float(text) * scale
    except ValueError:
        grams = math.nan
    if not 0 <= grams < math.inf:
        raise InputError(
            f"expected an intensity of 0 or more in {name} line {line}",
            text or "nothing",
            "fill gaps in the data first",
        )
    if grams > MOST_G_PER_KWH:
        raise InputError(
            f"expected less than {MOST_G_PER_KWH:,.0f} g/kWh in {name} line {line}",
            f"{grams:,.0f} g/kWh",
            "does the name of the column have the right unit?",
        )
    return grams


def _check_step(times: list[datetime], line: int, name: str) -> None:
    """Check that the last time follows at the step of the first two, or starts the next month."""
    if len(times) < 2:
        return
    step, first = _seconds(times[-1]) - _seconds(times[-2]), _seconds(times[1]) - _seconds(times[0])
    if step <= 0:
        raise InputError(
            f"expected times that ascend in {name} line {line}",
            times[-1].isoformat(),
            "write them in UTC, or name their zone with --timezone, if the clocks change",
        )
    if _monthly(times[-2:]) and _monthly(times[:2]):
        return
    if step != first or first > S_PER_DAY:
        raise InputError(
            f"expected every row {min(first, S_PER_DAY) / S_PER_HOUR:g} h after the one before, or "
            f"months, in {name} line {line}",
            f"{step / S_PER_HOUR:g} h",
            "fill gaps in the data first; for an hour that no clock showed, name the zone of the "
            "times with --timezone",
        )


def _monthly(times: list[datetime]) -> bool:
    """Whether the times are the starts of consecutive months."""
    return all(_month_after(a) == b for a, b in pairwise(times))


def _month_after(time: datetime) -> datetime:
    """The start of the month after that of a time that starts a month; else a time before all."""
    if (time.day, time.hour, time.minute, time.second) != (1, 0, 0, 0):
        return datetime.min.replace(tzinfo=time.tzinfo)
    years, month = divmod(time.month, 12)
    return time.replace(year=time.year + years, month=month + 1)


def _seconds(time: datetime) -> float:
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
