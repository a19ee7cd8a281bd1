"""How often the 95 % band of a window contains its exact joules, and how wide it is.

Boards with and without a counter are read on virtual machines, through the models of sensors in
`benchmarks.meters.sensors`: late, smoothed and held. Windows of 0.1 to 5 s begin at random moments,
or in step with the load, as a training loop marks its forward pass and its all-reduce.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np

from benchmarks.meters.sensors import (
    SENSORS,
    Counter,
    Load,
    PowerSensor,
    alternating,
    telegraph,
    training,
)
from benchmarks.meters.unread import METERS, record_of
from benchmarks.meters.virtual.clock import START_S
from benchmarks.meters.virtual.devices import Device
from benchmarks.meters.virtual.metering import Life, Stretch, metered, saved

LENGTHS_S = (0.1, 0.3, 0.3, 1.0, 1.0, 2.0, 5.0, 5.0)
"""Lengths of windows that begin at random moments."""

WIDTHS_S = (0.3, 1.0, 5.0)
"""Lengths at which the median half width is measured."""

GAIN_MOST = 0.05
"""The gain of every second board is off by up to this share; its band allows for more."""

LEAD_S = 3.0
"""Time before the first window, in which the sampler learns the rhythm of a counter."""

BANDS_A_ROW = 50

BOARDS: dict[str, tuple[str, Counter | PowerSensor, bool]] = {
    "counter": ("NVIDIA H100 80GB HBM3", Counter(tick_s=0.1), True),
    "V100, power only": ("Tesla V100-SXM2-32GB", SENSORS["V100 or P100"], True),
    "A100, power only": ("NVIDIA A100-SXM4-80GB", SENSORS["A100"], True),
    "H100, power only": ("NVIDIA H100 80GB HBM3", SENSORS["H100, instant"], True),
    "Ada, power only": ("NVIDIA RTX 6000 Ada Generation", SENSORS["Turing to Ada"], True),
    "mean of a second, power only": (
        "NVIDIA RTX A6000",
        SENSORS["Ampere and later, mean of a second"],
        False,
    ),
}
"""Product name, sensor, and whether the board has the field of instantaneous power."""


@dataclass(frozen=True)
class Band:
    """One window, or all windows of one name, and its band.

    Attributes:
        length_s: of one window.
        exact_j: exact joules.
        value_j: joules in the record; None where there are none.
        low_j: lower end of the band.
        high_j: upper end.
    """

    length_s: float
    exact_j: float
    value_j: float | None
    low_j: float
    high_j: float

    @property
    def holds(self) -> bool:
        """Whether the band contains the exact joules."""
        return self.value_j is not None and self.low_j <= self.exact_j <= self.high_j

    @property
    def half_width(self) -> float:
        """Half the width of the band, as a share of the exact joules."""
        return (self.high_j - self.low_j) / 2 / self.exact_j


@dataclass(frozen=True)
class Row:
    """Bands of one kind of windows on one kind of board.

    Attributes:
        board: key of BOARDS.
        windows: key of WINDOWS.
    """

    board: str
    windows: str

    @property
    def counts(self) -> bool:
        """Whether the board has a counter."""
        return self.board == "counter"

    @property
    def in_step(self) -> bool:
        """Whether the windows are in step with the load."""
        return WINDOWS[self.windows] in (_each_in_step, _all_in_step)

    @property
    def name(self) -> str:
        """The row in words."""
        return f"{self.board}: {self.windows}"


Plan = tuple[Load, list[Stretch]]
"""A load and the windows in it."""


def _at_random(generator: np.random.Generator, load: Load) -> Plan:
    """Windows that begin at random moments and may overlap."""
    begins = START_S + LEAD_S + np.cumsum(generator.uniform(0.5, 2.5, 25))
    lengths = np.resize(LENGTHS_S, 25)[generator.permutation(25)]
    pairs = enumerate(zip(begins.tolist(), lengths.tolist(), strict=True))
    return load, [Stretch(begin, begin + length, f"w{i}") for i, (begin, length) in pairs]


def _random_load(generator: np.random.Generator) -> Plan:
    mean_s = float(np.exp(generator.uniform(np.log(0.05), np.log(2.0))))
    load = telegraph(generator, START_S - 5, START_S + 80, mean_s=mean_s, least_w=70, most_w=690)
    return _at_random(generator, load)


def _training_load(generator: np.random.Generator) -> Plan:
    step_s = float(np.exp(generator.uniform(np.log(0.15), np.log(3.0))))
    return _at_random(
        generator, training(generator, START_S - 5, START_S + 80, step_s=step_s, most_w=690)
    )


def _turns(generator: np.random.Generator) -> tuple[Load, float, float, float]:
    """Forward and all-reduce in turn: the load, its first step, its period and its forward pass."""
    period_s = float(np.exp(generator.uniform(np.log(0.09), np.log(0.8))))
    high_s = period_s * generator.uniform(0.3, 0.7)
    begin_s = START_S + LEAD_S + generator.uniform(0, 0.1)
    turns = int(40 / period_s)
    low_w = generator.uniform(80, 250)
    first_s = begin_s - period_s * int(LEAD_S / period_s)
    load = alternating(first_s, turns, period_s, high_s=high_s, high_w=650, low_w=low_w)
    return load, begin_s, period_s, high_s


def _each_in_step(generator: np.random.Generator) -> Plan:
    """Windows from the begin of a forward pass to the end of one, each of its own name."""
    load, begin_s, period_s, high_s = _turns(generator)
    windows = []
    for i in range(10):
        length_s = float(np.exp(generator.uniform(np.log(0.1), np.log(4.5))))
        end_s = begin_s + period_s * round(length_s / period_s) + high_s
        windows.append(Stretch(begin_s, end_s, f"w{i}"))
        begin_s += period_s * generator.integers(1, 1 + int(2.5 / period_s))
    return load, windows


def _all_in_step(generator: np.random.Generator) -> Plan:
    """Every forward pass and every all-reduce of ten to a hundred steps, by their two names."""
    load, begin_s, period_s, high_s = _turns(generator)
    windows = []
    for i in range(int(generator.uniform(10, min(100, 25 / period_s)))):
        step_s = begin_s + i * period_s
        windows.append(Stretch(step_s, step_s + high_s, "forward"))
        windows.append(Stretch(step_s + high_s, step_s + period_s, "all-reduce"))
    return load, windows


WINDOWS: Mapping[str, Callable[[np.random.Generator], Plan]] = {
    "random load": _random_load,
    "training loop": _training_load,
    "in step with the load": _each_in_step,
    "all forward passes, all all-reduces": _all_in_step,
}

ROWS = [
    *(Row("counter", windows) for windows in WINDOWS),
    *(Row("H100, power only", windows) for windows in WINDOWS),
    Row("A100, power only", "training loop"),
    Row("Ada, power only", "in step with the load"),
    Row("V100, power only", "all forward passes, all all-reduces"),
    Row("mean of a second, power only", "training loop"),
]


def measured(row: Row, library: Path, count: int = BANDS_A_ROW) -> list[Band]:
    """The bands of a row.

    Args:
        row: the row.
        library: the compiled stand-in for NVIDIA's library.
        count: of bands.
    """
    bands: list[Band] = []
    seed = 1000 * ROWS.index(row)
    while len(bands) < count:
        bands += _of_one_run(row, library, seed)
        seed += 1
    return bands[:count]


def _of_one_run(row: Row, library: Path, seed: int) -> list[Band]:
    """The bands of a run of a board with its own phase, delay and gain."""
    generator = np.random.default_rng(seed)
    load, windows = WINDOWS[row.windows](generator)
    product, sensor, instant = BOARDS[row.board]
    gain = 1 + (generator.uniform(-GAIN_MOST, GAIN_MOST) if seed % 2 else 0.0)
    own: Counter | PowerSensor
    if isinstance(sensor, Counter):
        tick_s = generator.uniform(0.094, 0.1)
        own = replace(sensor, tick_s=tick_s, phase_s=generator.uniform(0, tick_s), gain=gain)
    else:
        hold_s = sensor.hold_s
        phase_s, delay_s = generator.uniform(0, hold_s, 2)
        own = replace(sensor, phase_s=phase_s, delay_s=delay_s, gain=gain)
    base_j = 2e6 - gain * float(load.energy_j(START_S)) if row.counts else 0.0
    device = Device("nvml", load, own, base_j, product=product, instant=instant)
    end_s = max(window.end_s for window in windows) + 1.0
    life = Life(begin_s=START_S, end_s=end_s, why="closed")
    name = METERS["counter"].device
    rows = metered({name: device}, library, [life], windows, seed=seed)
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, XDG_CONFIG_HOME=folder):
        record = record_of("run", [saved(Path(folder), rows)])
    return [
        _band(load, [own for own in windows if own.name == window["name"]], window["energy_j"])
        for window in record["windows"]
    ]


def _band(load: Load, windows: Sequence[Stretch], energy: Mapping[str, float | None]) -> Band:
    """The band of all windows of one name."""
    return Band(
        length_s=windows[0].end_s - windows[0].begin_s,
        exact_j=sum(float(load.between(window.begin_s, window.end_s)) for window in windows),
        value_j=energy["value"],
        low_j=energy["low"] or 0.0,
        high_j=energy["high"] or 0.0,
    )


def results(library: Path) -> Iterator[tuple[Row, list[Band]]]:
    """Every row and its bands."""
    for row in ROWS:
        yield row, measured(row, library)


def median_half_width(bands: Sequence[Band], length_s: float) -> float:
    """The median half width of the windows of one length, as a share of their joules."""
    return statistics.median(
        band.half_width for band in bands if abs(band.length_s - length_s) < 1e-6
    )
