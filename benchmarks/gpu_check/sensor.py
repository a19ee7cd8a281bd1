"""Counter against integrated power, and what that says of the board's sensors.

The board is read closely while it is idle, while it computes products, and while the products are
switched on and off at random. The estimates go to the sensor file, which sets the ticks, lags and
bands of every later run on boards of this name.
"""

from __future__ import annotations

import json
import math
import platform
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.gpu_check import estimators
from benchmarks.gpu_check.board import Board, Reader, Series
from benchmarks.gpu_check.estimators import Updates
from benchmarks.gpu_check.load import Announced, Load, Products
from benchmarks.gpu_check.stages import Report, Settings
from energy.errors import AccountingError, MissingDataError
from energy.files import write_text_atomic
from energy.meters import sensors
from energy.meters.sensors import Sensor

SETTLE_S = 1.5
"""The slowest sensors show a mean of 1 s, and some delay."""

HALF_S = (0.3, 1.2)
"""Shortest and longest time for which the load is on or off: no sensor hides in such a rhythm."""

SOURCE = "benchmarks.gpu_check: load switched at random, least squares over delay and window"


@dataclass(frozen=True)
class Durations:
    """Seconds of each part.

    Attributes:
        unread: idle, with nothing read between begin and end.
        idle: idle, read closely.
        warm: products before those that count, for clocks and temperature to settle.
        product: products.
        square: products switched on and off.
    """

    unread: float
    idle: float
    warm: float
    product: float
    square: float


WHOLE = Durations(unread=5, idle=8, warm=3, product=10, square=40)
SHORT = Durations(unread=0.5, idle=1.5, warm=0.2, product=3, square=16)


def measure(settings: Settings, report: Report) -> None:
    """Measure everything and write the sensor file.

    Raises:
        MissingDataError: there is no board, or no load for it.
        AccountingError: the readings show no sensor.
    """
    board, durations = Board(), SHORT if settings.short else WHOLE
    report("idle", board=board.name)
    report(unread_w=_unread_w(board, durations.unread))
    with tempfile.TemporaryDirectory() as folder:
        read = Metered(Path(folder))
        read.part(lambda: time.sleep(durations.idle))
        report(idle=read.compared())
        load = _load(settings)
        report(f"product: {load.describe()['load']}", load=load.describe())
        load.run(durations.warm)
        busy: list[tuple[float, float]] = []
        read.part(lambda: busy.append(load.run(durations.product)))
        # Once the sensor shows the load alone.
        product = read.compared(busy[0][0] + SETTLE_S, busy[0][1])
        report("products on and off", product=product)
        edges: list[tuple[float, float]] = []
        read.part(lambda: edges.extend(switched(load, durations.square)))
        report(square=read.compared())
    times = estimators.Load([on for on, _ in edges], [off for _, off in edges])
    shown = {name: estimators.updates(s.times_s, s.values) for name, s in read.series.items()}
    report(series=series_of(shown, times))
    sensor, estimates = estimated(shown, times, product["counter_over_power"])
    report(sensor=asdict(sensor), estimates=estimates, file=str(keep(board.name, sensor)))


class Metered:
    """Readings of parts of the check; the last part's are kept.

    Args:
        folder: for the readings.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.series: dict[str, Series] = {}

    def part(self, work: Callable[[], object]) -> None:
        """Read the board while something runs."""
        with Reader(self._folder) as reader:
            work()
        self.series = reader.series()

    def compared(
        self, start_s: float = -math.inf, stop_s: float = math.inf
    ) -> dict[str, float | None]:
        """Mean watts by each reading, and the counter's joules over the integral of the power.

        Args:
            start_s: readings before this moment are left out.
            stop_s: readings after this moment are left out.
        """
        series = {name: each.between(start_s, stop_s) for name, each in self.series.items()}
        values: dict[str, float | None] = {
            f"{name}_w": float(each.values.mean())
            for name, each in series.items()
            if name != "counter"
        }
        counter, power = series.get("counter"), series.get(reading_of(series))
        values["counter_over_power"] = None
        if counter is None or power is None:
            return values
        # Each value until the next: the power read last at the moment of a counter's reading.
        last = power.times_s.searchsorted(counter.times_s, side="right") - 1
        watts = power.values[last.clip(min=0)]
        ratio = estimators.counter_over_power(counter.times_s, counter.values, watts)
        values["counter_over_power"] = ratio
        return values


def reading_of(names: Any) -> str:
    """The power call that the meter takes where there is no counter."""
    return "instant" if "instant" in names else "power"


def switched(load: Load, seconds: float) -> list[tuple[float, float]]:
    """Switch a load on and off at random; return the moments of each time on."""
    generator = random.Random(1)
    edges, stop_s = [], time.monotonic() + seconds
    while time.monotonic() < stop_s:
        time.sleep(generator.uniform(*HALF_S))
        edges.append(load.run(generator.uniform(*HALF_S)))
    time.sleep(HALF_S[1])
    return edges


def estimated(
    shown: dict[str, Updates | None], load: estimators.Load, ratio: float | None
) -> tuple[Sensor, dict[str, Any]]:
    """The board's sensor, and the estimates of each reading with what the model leaves over.

    Args:
        shown: updates of each reading.
        load: when the load was on.
        ratio: counter over integrated power.

    Raises:
        AccountingError: the power hardly changed although the load did.
    """
    estimates: dict[str, Any] = {}
    for name, seen in shown.items():
        if seen is None:
            continue
        if name == "counter":
            response = estimators.counter_response(seen, load)
            hold_s = seen.period_s
        else:
            response = estimators.power_response(seen, load)
            hold_s = estimators.longest_hold(seen, load, response)
        estimates[name] = {
            **asdict(response),
            "update_s": seen.period_s,
            "resolved": seen.resolved,
            "regularity": seen.regularity,
            "hold_s": hold_s,
        }
    reading = reading_of(estimates)
    if reading not in estimates:
        raise AccountingError(
            "expected a power that follows the load",
            f"fewer than {estimators.MIN_CHANGES} changes of it",
        )
    power, counter = estimates[reading], estimates.get("counter", {})
    return (
        Sensor(
            reading=reading,
            update_s=round(power["update_s"], 4),
            delay_s=round(power["delay_s"], 4),
            window_s=round(power["window_s"], 4),
            hold_s=round(power["hold_s"], 4),
            tick_s=round(counter.get("update_s", 0.0), 4),
            counter_delay_s=round(counter.get("delay_s", 0.0), 4),
            counter_over_power=round(ratio or 0.0, 4),
            host=platform.node(),
            date=time.strftime("%Y-%m-%d", time.gmtime()),
            source=SOURCE,
        ),
        estimates,
    )


def keep(board: str, sensor: Sensor) -> Path:
    """Write the sensor of a board to the sensor file, beside those of other boards."""
    file = sensors.path()
    known, _ = sensors.load(file)
    table = {name: asdict(each) for name, each in (known | {board: sensor}).items()}
    write_text_atomic(file, json.dumps(table, indent=1) + "\n")
    return file


def series_of(shown: dict[str, Updates | None], load: estimators.Load) -> dict[str, Any]:
    """Every update of every reading and every switch of the load, small enough to be kept.

    Moments are in s after the first switch.
    """
    start = load.on_s[0]
    kept: dict[str, Any] = {
        "on_s": [round(on - start, 4) for on in load.on_s],
        "off_s": [round(off - start, 4) for off in load.off_s],
    }
    for name, seen in shown.items():
        if seen is not None:
            kept[name] = {
                "poll_s": round(seen.poll_s, 5),
                "moments_s": [round(float(moment) - start, 4) for moment in seen.moments_s],
                "values": [round(float(value), 3) for value in seen.values],
            }
    return kept


def _unread_w(board: Board, seconds: float) -> float | None:
    """Mean watts by the counter with no reading in between: reading may wake a board."""
    begin_s, first = time.monotonic(), board.read("counter")
    time.sleep(seconds)
    last, end_s = board.read("counter"), time.monotonic()
    watts = (last - first) / (end_s - begin_s)
    return watts if watts == watts else None


def _load(settings: Settings) -> Load:
    if settings.load:
        return Announced(Path(settings.load), high_w=400.0, low_w=100.0)
    if settings.device == "cpu":
        raise MissingDataError("expected a load that the board's power follows", "none")
    return Products()
