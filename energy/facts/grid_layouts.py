"""Layouts in which grid intensity is handed out: which column is the time, and which the intensity.

Our own (`time`, `g_per_kwh`), Electricity Maps' data portal, WattTime, the national grid of Great
Britain (Carbon Intensity API and NESO), and tables that were derived from the EIA's. Answers of
their APIs in JSON become the same rows. A file with several intensities needs the name of one:
direct and life-cycle factors are never mixed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from energy.errors import InputError
from energy.inputs import MOST_DEPTH, depth
from energy.units import G_PER_KG, G_PER_LB, KWH_PER_MWH

AVERAGE, MARGINAL = "average", "marginal"
"""What a series says: the mean of the grid, or what one kWh more would cause."""

LB_PER_MWH = G_PER_LB / KWH_PER_MWH

SCALES = {
    "g_per_kwh": 1.0,
    "g/kwh": 1.0,
    "kgco2e_per_kwh": G_PER_KG,
    "carbonintensity": 1.0,
    "carbon_intensity": 1.0,
    "actual": 1.0,
    "forecast": 1.0,
    "avg_ci": 1.0,
    "lb_per_mwh": LB_PER_MWH,
}
"""Columns of an average intensity by their names in lower case, and their scale to g/kWh."""

PORTAL = "carbon intensity gco"
"""How Electricity Maps' columns begin: "Carbon intensity gCO₂eq/kWh (direct)"."""

MARGINAL_SCALES = {"moer": LB_PER_MWH, "co2_moer": LB_PER_MWH, "value": LB_PER_MWH}
"""WattTime's columns: pounds a MWh, marginal."""

TIMES = ("time", "datetime (utc)", "datetime", "from", "timestamp", "point_time", "period")

PREFERRED = ("actual", "forecast")
"""Of these two, the measured one is taken where it has a value in every row."""


@dataclass(frozen=True)
class Layout:
    """Where the cells of a file are.

    Attributes:
        time: index of the column of times.
        value: index of the column of intensities.
        scale: of these to g/kWh.
        signal: average or marginal.
        in_utc: whether the name of the column says that its times are UTC.
    """

    time: int
    value: int
    scale: float
    signal: str
    in_utc: bool = False


def layout(
    rows: Sequence[Sequence[str]], name: str, column: str | None, time_column: str | None
) -> Layout:
    """The layout of a table.

    Args:
        rows: its lines, the names of the columns first.
        name: of the file.
        column: the intensity that the user named.
        time_column: the time that the user named.

    Raises:
        InputError: a column is not there, or several could be meant.
    """
    names = [cell.strip().lower() for cell in rows[0]] if rows else []
    time = _time_of(names, name, time_column)
    value = _value_of(names, rows, name, column)
    words = names[value]
    if words in MARGINAL_SCALES and words not in SCALES:
        return Layout(time, value, MARGINAL_SCALES[words], MARGINAL, "utc" in names[time])
    return Layout(time, value, SCALES.get(words, 1.0), AVERAGE, "utc" in names[time])


def _time_of(names: list[str], name: str, column: str | None) -> int:
    wanted = (column.strip().lower(),) if column else TIMES
    place = next((names.index(time) for time in wanted if time in names), None)
    if place is None:
        raise InputError(
            f"expected a column of times ({', '.join(wanted)}) in {name} line 1",
            ", ".join(names) or "an empty file",
            "name it with --time-column",
        )
    return place


def _value_of(
    names: list[str], rows: Sequence[Sequence[str]], name: str, column: str | None
) -> int:
    if column is not None:
        wanted = column.strip().lower()
        fits = [i for i, text in enumerate(names) if wanted == text]
        fits = fits or [i for i, text in enumerate(names) if wanted in text]
    else:
        known = {*SCALES, *MARGINAL_SCALES}
        fits = [i for i, text in enumerate(names) if text in known or text.startswith(PORTAL)]
        if {names[i] for i in fits} == set(PREFERRED):
            fits = [_measured(names, rows, name)]
    if len(fits) != 1:
        seen = ", ".join(names[i] for i in fits) or ", ".join(names) or "an empty file"
        raise InputError(
            f"expected one intensity (g_per_kwh, kgco2e_per_kwh, ...) in {name} line 1",
            seen,
            "name the one that you mean with --column",
        )
    return fits[0]


def _measured(names: list[str], rows: Sequence[Sequence[str]], name: str) -> int:
    """The measured column of two if it is whole, the forecast if it is empty."""
    actual, forecast = map(names.index, PREFERRED)
    filled = [bool(row[actual].strip()) for row in rows[1:] if len(row) > actual]
    if all(filled):
        return actual
    if not any(filled):
        return forecast
    raise InputError(
        f"expected a measured intensity in every row of {name}",
        f"{filled.count(False):,} rows that only have a forecast",
        "cut them off, or take the forecast of all: --column forecast",
    )


def rows_of_json(text: str, name: str) -> list[list[str]]:
    """The answer of an API as rows with names of columns.

    Raises:
        InputError: it is none of those that are known.
    """
    try:
        answer = json.loads(text)
        if depth(answer) > MOST_DEPTH:
            raise ValueError("brackets nested too deeply")
        return list(_rows(answer))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"expected an answer of Electricity Maps, WattTime or carbonintensity.org.uk in {name}",
            str(error) or "something else",
            "save what the API answers, or write a CSV file",
        ) from error


def _rows(answer: Any) -> Iterator[list[str]]:
    if "history" in answer or "forecast" in answer:
        yield ["datetime", "carbonIntensity"]
        for row in answer.get("history") or answer["forecast"]:
            yield [str(row["datetime"]), str(row["carbonIntensity"])]
        return
    rows = answer["data"]
    if "point_time" in rows[0]:
        meta = answer.get("meta", {})
        units, signal = str(meta.get("units", "")), str(meta.get("signal_type", "co2_moer"))
        if signal != "co2_moer" or units not in ("", "lbs_co2_per_mwh"):
            raise ValueError(f"a signal {signal} in {units}")
        yield ["point_time", "value"]
        for row in rows:
            yield [str(row["point_time"]), str(row["value"])]
        return
    yield ["from", "forecast", "actual"]
    for row in rows:
        values = row["intensity"]
        cells = (values.get("forecast"), values.get("actual"))
        yield [str(row["from"]), *("" if cell is None else str(cell) for cell in cells)]
