"""Joules of a run between moments of the wall clock: what a series over time is multiplied by.

CO2e hour by hour is the sum of the joules of each hour times its intensity, never the mean of the
intensities times all joules. As the joules of a record are those of several boundaries, an
intensity is reduced to its mean by the joules that were read at the innermost one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from energy.errors import InputError, MissingDataError
from energy.facts.grid_layouts import AVERAGE
from energy.facts.grid_series import Array, Series
from energy.ledger.joules import innermost
from energy.ledger.merge import nodes_of
from energy.ledger.node import Node
from energy.ledger.segment import Segment
from energy.quantity import Origin, Quantity
from energy.units import S_PER_HOUR


@dataclass(frozen=True)
class Hours:
    """The joules of a run in the intervals of a series that it touches.

    Attributes:
        begin_s: of the intervals, n seconds since 1970 in UTC.
        joules: n, those that were read at the innermost boundary.
        g_per_kwh: n intensities.
        factor: their mean by the joules, g/kWh.
    """

    begin_s: Array
    joules: Array
    g_per_kwh: Array
    factor: Quantity


def require_hourly(series: Series) -> Series:
    """The series, if it can be used hour by hour.

    Raises:
        InputError: a step is longer than an hour, or the series is marginal.
    """
    longest_s = float(np.diff(series.edges_s).max())
    if longest_s > S_PER_HOUR:
        raise InputError(
            f"expected steps of an hour or less in {series.source}",
            f"{longest_s / S_PER_HOUR:g} h",
            "days and years are no hourly figures; name the zone with --zone for that of a year",
        )
    if series.signal != AVERAGE:
        raise InputError(
            f"expected average intensities in {series.source}",
            f"{series.signal} ones, which are no footprint",
            "export the average; simulator when reads both",
        )
    return series


def hours(segments: Iterable[Segment], series: Series) -> Hours:
    """The joules of a run by the intervals of a series.

    Args:
        segments: of one or more ledgers; a moment of a device counts once.
        series: of the intensity, in steps of an hour or less.

    Raises:
        InputError: there is no sample, or the series cannot be used.
        MissingDataError: the series does not cover the run, or no joules were read.
    """
    edges = require_hourly(series).edges_s
    joules = np.zeros(len(edges) - 1)
    for node in nodes_of(segments).values():
        for begin_s, end_s, ahead_s in _by_clock(node):
            _require_covered(begin_s + ahead_s, end_s + ahead_s, series)
            inside = edges[(edges > begin_s + ahead_s) & (edges < end_s + ahead_s)]
            cuts = np.array([begin_s + ahead_s, *inside, end_s + ahead_s])
            places = np.searchsorted(edges, cuts[:-1], side="right") - 1
            for place, low, high in zip(places, cuts[:-1], cuts[1:], strict=True):
                within = [(float(low) - ahead_s, float(high) - ahead_s)]
                joules[place] += innermost(node.entries(within), "J").value or 0.0
    touched = np.flatnonzero(joules > 0)
    if not len(touched):
        raise MissingDataError("expected joules over time in the ledger", "none")
    used = slice(touched[0], touched[-1] + 1)
    grams, spent = series.g_per_kwh[used], joules[used]
    mean = float(np.average(grams, weights=spent))
    intervals = "1 interval" if len(spent) == 1 else f"{len(spent):,} intervals"
    span = f"{_moment(edges[used.start])} to {_moment(edges[used.stop])}"
    source = f"{series.source}: mean of {intervals} ({span}) by the joules of the run"
    factor = Quantity.exact(mean, "g/kWh", source, Origin.MODELLED)
    return Hours(edges[:-1][used], spent, grams, factor)


def _by_clock(node: Node) -> list[tuple[float, float, float]]:
    """When a run went on: monotonic begin and end, and seconds that UTC is ahead of them.

    The wall clock may be set and the machine may sleep, after which it is ahead by more.
    """
    pairs = sorted(
        (row["m"] / 1e9, datetime.fromisoformat(row["utc"]).timestamp() - row["m"] / 1e9)
        for segment in node.segments
        for row in (segment.header, *segment.incidents)
        if "utc" in row
    )
    if not pairs:
        raise MissingDataError("expected the time of day in the ledger", "none")
    return [
        (max(begin_s, low_s), min(end_s, high_s), ahead_s)
        for low_s, high_s, ahead_s in _validity(pairs)
        for begin_s, end_s in node.times
        if max(begin_s, low_s) < min(end_s, high_s)
    ]


def _validity(pairs: Sequence[tuple[float, float]]) -> Iterable[tuple[float, float, float]]:
    """From when to when each pair of clocks holds; the first also before it."""
    starts = [float("-inf"), *(moment for moment, _ in pairs[1:]), float("inf")]
    for (_, ahead_s), low_s, high_s in zip(pairs, starts, starts[1:], strict=False):
        yield low_s, high_s, ahead_s


def _require_covered(begin_s: float, end_s: float, series: Series) -> None:
    first_s, last_s = float(series.edges_s[0]), float(series.edges_s[-1])
    if first_s <= begin_s and end_s <= last_s:
        return
    raise MissingDataError(
        f"expected {series.source} to cover the run from {_moment(begin_s)} to {_moment(end_s)}",
        f"{_moment(first_s)} to {_moment(last_s)}",
        "fetch the rest of the series: no hour is filled in",
    )


def _moment(time_s: float) -> str:
    """2026-05-01 13:00 UTC."""
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
