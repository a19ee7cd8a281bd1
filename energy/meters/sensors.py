"""How late a power reading is: by measurement of the board's sensor, else by a published figure.

A sensor shows the mean power over an averaging window that ended some time before, and holds it
until its next update. `make gpu-check` measures this on a board and writes it to the sensor file
(sensors.json in the user's configuration folder), by name of the board. The file sets the ticks,
lags and bands of boards of that name; other sensors have the row of power_sensors.csv.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

from energy.errors import InputError
from energy.inputs import read_json, table_of
from energy.meters.base import Domain
from energy.meters.files import fact_rows, user_file

MOST_S = 60.0
"""No sensor that was ever described is slower."""

MOST_RATIO = 10.0
"""A counter is within this factor of the integrated power, or nothing was measured."""

AGREEMENT = 0.05
"""A counter that differs more from integrated power is no longer believed without the other."""


@dataclass(frozen=True, kw_only=True)
class Sensor:
    """What was measured of the sensors of one board.

    Attributes:
        reading: the power call that was measured: "instant" (field 186) or "power".
        update_s: seconds between two updates of the power.
        delay_s: the averaging window ends so long before the update that shows it.
        window_s: the power is a mean over so many seconds.
        hold_s: longest time for which a power stood still while the load changed.
        tick_s: seconds between two updates of the energy counter; 0 without a counter.
        counter_delay_s: the counter's joules are those of so long before its tick.
        counter_over_power: joules of the counter over integrated power; 0 without a counter.
        host: machine that it was measured on.
        date: day of the measurement, as 2026-12-01.
        source: what measured it.
    """

    reading: str
    update_s: float
    delay_s: float
    window_s: float
    hold_s: float
    tick_s: float
    counter_delay_s: float
    counter_over_power: float
    host: str
    date: str
    source: str

    @classmethod
    def of(cls, values: Any) -> Self:
        """A sensor from the values of its JSON object.

        Raises:
            ValueError: a value is missing, of another type, or out of range.
        """
        if not isinstance(values, dict):
            raise ValueError(f"expected an object for each board; got {values!r}")
        checked: dict[str, Any] = {}
        for field in fields(cls):
            value = values.get(field.name)
            if field.type == "str":
                valid, words = isinstance(value, str), "a text"
            else:
                most = MOST_RATIO if field.name == "counter_over_power" else MOST_S
                number = isinstance(value, int | float) and not isinstance(value, bool)
                valid, words = number and 0 <= value <= most, f"0 to {most:g}"  # type: ignore[operator]
            if not valid:
                raise ValueError(f"expected {field.name} as {words}; got {value!r}")
            checked[field.name] = value
        return cls(**checked)


def path() -> Path:
    """Path of the sensor file."""
    return user_file("sensors.json")


def load(file: Path) -> tuple[dict[str, Sensor], str]:
    """The measured sensors by name of their board, and a note on a file that cannot be used."""
    try:
        if not file.exists():
            return {}, ""
        boards = table_of(read_json(file, "measured sensors"), str(file))
        return {name: Sensor.of(values) for name, values in boards.items()}, ""
    except (InputError, ValueError) as error:
        words = " ".join(str(error).split())
        return {}, f"{file} left out: {words}; make it again: make gpu-check"


def of_board(domain: Domain, meter: str, board: str, reading: str) -> Domain:
    """A domain of a board with the ticks, lag and band that its sensors are known to have.

    Args:
        domain: by its counter or by a power.
        meter: name of the source that reads it.
        board: product name of the board.
        reading: the call that reads its power, "instant" or "power"; "counter" if none does.
    """
    sensors, note = load(path()) if domain.kind == "gpu" else ({}, "")
    domain = _noted(domain, note)
    sensor = sensors.get(board)
    if sensor is None or reading not in ("counter", sensor.reading):
        return by_default(domain, meter, board, reading)
    source = f"{domain.source}; sensor measured on {sensor.host}, {sensor.date}"
    if reading != "counter":
        lag_s = sensor.delay_s + sensor.window_s
        return replace(domain, tick_s=sensor.update_s, lag_s=lag_s, source=source)
    low, high = _holding_both(domain.low, domain.high, sensor.counter_over_power)
    if (low, high) != (domain.low, domain.high):
        ratio = f"{sensor.counter_over_power:.2f} times integrated power"
        words = f"the counter of {board} is {ratio} ({sensor.host}, {sensor.date})"
        domain = _noted(domain, f"{words}: the band of its joules holds both")
    return replace(
        domain,
        tick_s=sensor.tick_s or domain.tick_s,
        lag_s=sensor.counter_delay_s,
        low=low,
        high=high,
        source=source,
    )


def _noted(domain: Domain, note: str) -> Domain:
    """A domain with one more note."""
    return replace(domain, note="; ".join(filter(None, (domain.note, note))))


def by_default(domain: Domain, meter: str, board: str = "", reading: str = "power") -> Domain:
    """A domain that is read by power with the lag of its row in power_sensors.csv.

    Where no delay was published, one update is assumed: updates every 0.1 s and a window of 25 ms
    lag 0.125 s. A domain that has a lag, or is not read by power, is returned as it is.
    """
    if domain.method != "power" or domain.reason or domain.lag_s:
        return domain
    row = _row(meter, board, reading)
    update_s = _number(row["update_s"], domain.tick_s)
    lag_s = _number(row["delay_s"], update_s) + float(row["window_s"])
    return replace(domain, tick_s=update_s, lag_s=lag_s)


def _row(meter: str, board: str, reading: str) -> dict[str, str]:
    """The first row of the table that fits."""
    words = set(re.split(r"[\s-]+", board))
    return next(
        row
        for row in fact_rows("power_sensors.csv")
        if row["meter"] in (meter, "any")
        and (row["reading"] == reading or row["meter"] == "any")
        and (row["products"] == "any" or words & set(row["products"].split(";")))
    )


def _number(text: str, otherwise: float) -> float:
    return otherwise if text == "unknown" else float(text)


def _holding_both(low: float, high: float, ratio: float) -> tuple[float, float]:
    """The band of a counter, wide enough to hold the integrated power too if they disagree.

    Example: +-7 % with a counter at 0.57 of the power becomes 0.93 to 1.88.
    """
    if not ratio or abs(math.log(ratio)) <= math.log1p(AGREEMENT):
        return low, high
    return min(low, low / ratio), max(high, high / ratio)
