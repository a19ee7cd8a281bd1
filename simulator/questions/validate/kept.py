"""What a whole run keeps of its steady rate: restarts, evaluation, ramps of the batch, other plans.

hours of the calendar = steady hours * exp(a) * MFU^b

A step that is predicted near the peak leaves more that can go wrong, so a run keeps less of it:
b is above 0. Both are fitted to the published runs of other developers, each developer counted
once; the band is the spread that is left. A sum of step times has none of this: it keeps the
steady rate, within the band of a new publisher.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from energy.units import S_PER_HOUR
from simulator.fit.newcomers import quantiles_of_new
from simulator.fit.pool import Pool
from simulator.fit.throughput import Evaluated, evaluate
from simulator.published.runs import RunRow, read_runs
from simulator.published.shipped import CALIBRATION, PUBLISHED, runs_of

Array = NDArray[np.float64]

Share = tuple[float, float, float]
"""Share of the steady rate: low, middle and high."""

FEWEST_RUNS = 8

KEPT: Share = (0.55, 0.78, 0.95)
"""The share where there are too few published runs."""

SPREAD = 0.25
"""One sigma of the logarithm of what two developers keep at one MFU."""

SLOPE = 0.5
"""One sigma of the prior of b, around 0."""


@dataclass(frozen=True)
class Kept:
    """Known runs that the shares of others are fitted to.

    Attributes:
        developers: of the runs.
        mfu: predicted for the steady step (runs).
        slower: ln(reported hours / steady hours) (runs).
    """

    developers: tuple[str, ...]
    mfu: Array
    slower: Array

    def line(self) -> tuple[float, float]:
        """A and b: least squares with each developer as one point of the spread `SPREAD`."""
        counts = Counter(self.developers)
        weight = np.array([1 / counts[name] for name in self.developers])
        columns = np.stack([np.ones(len(self.mfu)), np.log(self.mfu)], axis=1)
        normal = (columns.T * weight) @ columns + np.diag([0.0, (SPREAD / SLOPE) ** 2])
        a, b = np.linalg.solve(normal, (columns.T * weight) @ self.slower)
        return float(a), float(b)

    def share(self, mfu: float) -> Share:
        """Share of the steady rate that a run of a new developer keeps at a predicted MFU."""
        if len(self.developers) < FEWEST_RUNS:
            return KEPT
        a, b = self.line()
        left = self.slower - a - b * np.log(self.mfu)
        low, _, high = quantiles_of_new(left, self.developers)
        middle = float(np.exp(-(a + b * np.log(mfu))))
        return (
            middle * float(np.exp(-max(high, 0.0))),
            middle,
            middle * float(np.exp(-min(low, 0.0))),
        )

    def without(self, developer: str) -> Kept:
        """The runs of all other developers."""
        others = [place for place, name in enumerate(self.developers) if name != developer]
        return Kept(
            tuple(self.developers[place] for place in others),
            self.mfu[others],
            self.slower[others],
        )


def kept_shares(rows: Sequence[RunRow], evaluated: Evaluated, pool: Pool) -> list[Share]:
    """Share of its steady rate that each run keeps; its developer's own runs are left out."""
    known = known_runs(pool)
    return [
        _of_steps(row, pool) if row.steps_only else known.without(row.developer).share(float(mfu))
        for row, mfu in zip(rows, steady_mfu(rows, evaluated), strict=True)
    ]


def known_runs(pool: Pool) -> Kept:
    """Published runs whose hours are those of the calendar; those that calibrate count too."""
    tables = (read_runs(runs_of(name)) for name in (PUBLISHED, CALIBRATION))
    known = (row for table in tables for row in table.rows)
    rows = [row for row in known if row.chip_hours and not row.steps_only]
    evaluated = evaluate([row.configuration for row in rows], pool)
    reported = np.array([row.chip_hours for row in rows], float)
    return Kept(
        tuple(row.developer for row in rows),
        steady_mfu(rows, evaluated),
        np.log(reported / steady_hours(rows, evaluated)),
    )


def _of_steps(row: RunRow, pool: Pool) -> Share:
    """A sum of steps keeps the steady rate, which the new publisher's band is around."""
    configuration = row.configuration
    low, high = pool.unseen_band(
        row.kind,
        framework=configuration.framework,
        architecture=configuration.chip.architecture or "other",
        tuned=configuration.tuned,
    )
    return float(np.exp(low)), 1.0, float(np.exp(high))


def steady_hours(rows: Sequence[RunRow], evaluated: Evaluated) -> Array:
    """Chip-hours if every step took its steady time: tokens / (tokens/s per chip)."""
    hours = []
    for row, rate in zip(rows, evaluated.tokens_per_s, strict=True):
        tokens = row.flop / flop_per_token(row) if row.flop else float(row.tokens or np.nan)
        hours.append(tokens / rate / S_PER_HOUR)
    return np.array(hours)


def steady_mfu(rows: Sequence[RunRow], evaluated: Evaluated) -> Array:
    """Model FLOP of the steady rate, attention in full, over the peak (runs)."""
    peaks = [row.configuration.chip.peak_flop_per_s(row.configuration.precision) for row in rows]
    flop_per_s = np.array([flop_per_token(row) for row in rows]) * evaluated.tokens_per_s
    return np.asarray(flop_per_s / np.array(peaks))


def flop_per_token(row: RunRow) -> float:
    """Model FLOP of a token."""
    return row.configuration.model_flop
