"""Loads whose joules are known exactly, and models of the sensors that report them.

A load is a power that changes in steps, so its energy is a closed form. A power sensor shows the
mean over an averaging window that ended some time ago, and holds it until its next update. An
energy counter shows the exact joules at its last tick. The averaging windows and update periods of
NVIDIA boards are those of Yang, Adamek and Armour, "Part-time power measurements", SC'24.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Load:
    """Power that changes in steps; the first and the last power last for ever.

    Attributes:
        edges_s: moments of the steps, ascending; one fewer than there are powers.
        watts: power before the first step, between the steps and after the last one.
    """

    edges_s: Floats
    watts: Floats

    def power_w(self, t: ArrayLike) -> Floats:
        """Watts at moments; at a step, those after it."""
        watts: Floats = self.watts[np.searchsorted(self.edges_s, t, side="right")]
        return watts

    def energy_j(self, t: ArrayLike) -> Floats:
        """Joules since the first step, at moments; negative before it.

        Example: 100 W, from 0 s on 400 W, from 2 s on 50 W: 850 J at 3 s.
        """
        moments = np.asarray(t, dtype=float)
        if not len(self.edges_s):
            return np.asarray(self.watts[0] * moments, dtype=float)
        until = np.concatenate(([0.0], np.cumsum(self.watts[1:-1] * np.diff(self.edges_s))))
        last = np.searchsorted(self.edges_s, moments, side="right") - 1
        start = np.maximum(last, 0)
        joules: Floats = until[start] + self.watts[last + 1] * (moments - self.edges_s[start])
        return joules

    def between(self, start_s: ArrayLike, stop_s: ArrayLike) -> Floats:
        """Exact joules between two moments, or between pairs of moments."""
        joules: Floats = self.energy_j(stop_s) - self.energy_j(start_s)
        return joules


def constant(watts: float) -> Load:
    """A power that never changes."""
    return Load(np.array([]), np.array([float(watts)]))


def alternating(
    start_s: float, turns: int, period_s: float, *, high_s: float, high_w: float, low_w: float
) -> Load:
    """Two powers in turn, as of a forward pass and an all-reduce, from a moment on.

    Args:
        start_s: the first step to `high_w`; before it the power is `low_w`.
        turns: number of periods.
        period_s: from one step to `high_w` to the next.
        high_s: how long `high_w` lasts in each period.
        high_w: the higher power.
        low_w: the lower power.
    """
    starts = start_s + period_s * np.arange(turns)
    edges = np.column_stack((starts, starts + high_s)).ravel()
    return Load(edges, np.append(low_w, np.tile((high_w, low_w), turns)))


def telegraph(
    generator: np.random.Generator,
    start_s: float,
    stop_s: float,
    *,
    mean_s: float,
    least_w: float,
    most_w: float,
) -> Load:
    """Powers drawn at random, each for a random time of an exponential distribution."""
    count = int(3 * (stop_s - start_s) / mean_s) + 20
    edges = start_s + np.cumsum(generator.exponential(mean_s, count))
    edges = edges[edges < stop_s]
    return Load(edges, generator.uniform(least_w, most_w, len(edges) + 1))


def training(
    generator: np.random.Generator, start_s: float, stop_s: float, *, step_s: float, most_w: float
) -> Load:
    """Steps of a training loop: forward, backward, all-reduce and optimizer, with small delays.

    Each step's parts take 30, 45, 20 and 5 % of it, each with a spread of 3 %, at 75, 95, 35 and
    50 % of `most_w`; every tenth step is followed by half a step at 20 %, as of loading data.
    """
    steps = int(1.3 * (stop_s - start_s) / step_s) + 10
    shares = np.tile((0.30, 0.45, 0.20, 0.05, 0.0), (steps, 1))
    shares[9::10, 4] = 0.5
    shares *= generator.normal(1.0, 0.03, shares.shape)
    powers = np.tile((0.75, 0.95, 0.35, 0.50, 0.20), (steps, 1)).ravel() * most_w
    lasting = shares.ravel() > 0
    edges = start_s + step_s * np.concatenate(([0.0], np.cumsum(shares.ravel()[lasting])))
    return Load(edges, np.concatenate(([0.2 * most_w], powers[lasting], [0.2 * most_w])))


@dataclass(frozen=True, kw_only=True)
class PowerSensor:
    """What a call for the present power returns.

    Attributes:
        average_s: the power is a mean over so many seconds; 0 for the power of one moment.
        hold_s: the value is updated so often, and held in between; 0 if it never waits.
        delay_s: the mean ends so long before the update that shows it.
        phase_s: moment of one of the updates.
        gain: what is shown over what is true.
    """

    average_s: float
    hold_s: float
    delay_s: float = 0.0
    phase_s: float = 0.0
    gain: float = 1.0

    def read_w(self, load: Load, t: ArrayLike) -> Floats:
        """Watts that readings at these moments return."""
        moments = np.asarray(t, dtype=float)
        if self.hold_s:
            updates = np.floor((moments - self.phase_s) / self.hold_s)
            moments = self.phase_s + updates * self.hold_s
        moments = moments - self.delay_s
        if not self.average_s:
            return self.gain * load.power_w(moments)
        return self.gain * load.between(moments - self.average_s, moments) / self.average_s


@dataclass(frozen=True, kw_only=True)
class Counter:
    """An energy counter that is exact at its ticks, and stands still between them.

    Attributes:
        tick_s: seconds between ticks.
        phase_s: moment of one of the ticks.
        gain: what is shown over what is true.
    """

    tick_s: float
    phase_s: float = 0.0
    gain: float = 1.0

    def read_j(self, load: Load, t: ArrayLike) -> Floats:
        """Joules that readings at these moments return."""
        ticks = np.floor((np.asarray(t, dtype=float) - self.phase_s) / self.tick_s)
        return self.gain * load.energy_j(self.phase_s + ticks * self.tick_s)


SENSORS = {
    "V100 or P100": PowerSensor(average_s=0.0105, hold_s=0.020),
    "A100": PowerSensor(average_s=0.022, hold_s=0.100),
    "H100, instant": PowerSensor(average_s=0.0226, hold_s=0.100),
    "Turing to Ada": PowerSensor(average_s=0.095, hold_s=0.100),
    "Ampere and later, mean of a second": PowerSensor(average_s=1.0, hold_s=0.100),
}
"""Averaging window and update period by board: the middle of the range in the result workbook of
SC'24's authors. The last is the older power call. They state no delay; `delay_s` is drawn."""


def polls(
    generator: np.random.Generator,
    start_s: float,
    stop_s: float,
    period_s: float = 0.1,
    jitter: float = 0.2,
) -> Floats:
    """Moments at which a power is read: a period apart, each interval changed by up to `jitter`."""
    count = int((stop_s - start_s) / period_s / (1 - jitter)) + 2
    intervals = period_s * generator.uniform(1 - jitter, 1 + jitter, count)
    moments: Floats = start_s + np.cumsum(intervals)
    return moments[moments < stop_s]
