"""Joules at many moments at once, from readings and from powers that are assumed for a while."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

STEP = 0.1
"""Two powers differ much if they differ by more than this share of the greater one."""


@dataclass(frozen=True)
class Readings:
    """The readings of one domain in order of time.

    Attributes:
        times: seconds.
        values: what the meter showed: joules, or watts from then on.
        joules: joules up to these moments.
        breaks: indices of readings before which nothing is known.
        hold_s: how long a power counts at most; 0 if joules are read.
    """

    times: Floats
    values: Floats
    joules: Floats
    breaks: Indices
    hold_s: float = 0.0


def joules_at(readings: Readings, moments: Floats) -> Floats:
    """Joules at moments; they stand still where no reading tells them.

    A power counts until the next reading; the last one tells nothing of the time after it. Between
    two readings of joules power is constant. But if it differs much before and after that stretch,
    and lies between the two within it, it changes in one step, as it does when a device starts or
    stops working.
    """
    times, joules = readings.times, readings.joules
    if not len(times):
        return np.zeros(len(moments))
    i = np.searchsorted(times, moments)
    last = np.maximum(i - 1, 0)
    result: Floats = joules[last]
    within = (i > 0) & (i < len(times))
    if len(readings.breaks):
        within &= ~np.isin(i, readings.breaks)
    k, past_s = i[within], moments[within] - times[last[within]]
    if not readings.hold_s:
        result[within] += _changing_once(readings, k, past_s)
        return result
    result[within] += (joules[k] - joules[k - 1]) * (past_s / (times[k] - times[k - 1]))
    after = (i > 0) & (i < len(times)) & ~within
    held_s = np.minimum(moments[after] - times[last[after]], readings.hold_s)
    result[after] += readings.values[last[after]] * held_s
    return result


def _changing_once(readings: Readings, k: Indices, past_s: Floats) -> Floats:
    """Joules of the first `past_s` seconds between the readings k - 1 and k."""
    dt = readings.times[k] - readings.times[k - 1]
    before_w, here_w, after_w = (_power_w(readings, place) for place in (k - 1, k, k + 1))
    low_w, high_w = np.minimum(before_w, after_w), np.maximum(before_w, after_w)
    # Where a power is not known, no comparison holds.
    once = (low_w <= here_w) & (here_w <= high_w) & (high_w - low_w > STEP * high_w)
    change_w = np.where(once, before_w - after_w, 1.0)
    # Power changes once in this stretch; its mean power tells when.
    step_s = dt * (here_w - after_w) / change_w
    stepped_j = before_w * np.minimum(past_s, step_s) + after_w * np.maximum(0.0, past_s - step_s)
    spent: Floats = np.where(once, stepped_j, here_w * past_s)
    return spent


def _power_w(readings: Readings, k: Indices) -> Floats:
    """Mean power between the readings k - 1 and k; not a number beyond the ends and at breaks."""
    times, joules = readings.times, readings.joules
    known = (k > 0) & (k < len(times))
    if len(readings.breaks):
        known &= ~np.isin(k, readings.breaks)
    watts = np.full(len(k), np.nan)
    at = k[known]
    watts[known] = (joules[at] - joules[at - 1]) / (times[at] - times[at - 1])
    return watts


class Assumed:
    """A rate in each of some stretches of time, which do not overlap; 0 outside of them.

    Args:
        stretches: begin, end and rate of each, in order of time.
    """

    def __init__(self, stretches: Iterable[tuple[float, float, float]]) -> None:
        columns = np.array(list(stretches), dtype=float).reshape(-1, 3)
        self._begins, self._seconds = columns[:, 0], columns[:, 1] - columns[:, 0]
        self._rates = columns[:, 2]
        self._sums = np.concatenate(([0.0], np.cumsum(self._rates * self._seconds)))

    def __len__(self) -> int:
        return len(self._begins)

    def until(self, moments: Floats) -> Floats:
        """The integral of the rate up to moments."""
        if not len(self):
            return np.zeros(len(moments))
        i = np.searchsorted(self._begins, moments, side="right") - 1
        inside = np.minimum(moments - self._begins[i], self._seconds[i]) * self._rates[i]
        integral: Floats = np.where(i < 0, 0.0, self._sums[i] + inside)
        return integral
