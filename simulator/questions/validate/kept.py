"""What a whole run keeps of its steady rate: restarts, evaluation, ramps of the batch, other plans.

hours of the calendar = steady hours * exp(a) * MFU^b

A step that is predicted near the peak leaves more that can go wrong, so a run keeps less of it:
b is above 0. Both are fitted to the published runs of other developers, each developer counted
once; the band is the spread of developers around lines that were fitted without them. Little of
this is restarts: what a run's steps take together is its hours of the calendar times its goodput.
Hours that their source asks to keep out of fits, and those that are derived, are in no line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from energy.units import S_PER_HOUR
from simulator.facts.assumptions import goodput
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
        slower: ln(hours of the calendar / steady hours) (runs).
        trust: weight of each run, 1 where its hours are known well (runs); None is 1.
    """

    developers: tuple[str, ...]
    mfu: Array
    slower: Array
    trust: Array | None = None

    def line(self) -> tuple[float, float]:
        """A and b: least squares with each developer as one point of the spread `SPREAD`."""
        counts = Counter(self.developers)
        weight = np.array([1 / counts[name] for name in self.developers])
        weight = weight if self.trust is None else weight * self.trust
        columns = np.stack([np.ones(len(self.mfu)), np.log(self.mfu)], axis=1)
        normal = (columns.T * weight) @ columns + np.diag([0.0, (SPREAD / SLOPE) ** 2])
        a, b = np.linalg.solve(normal, (columns.T * weight) @ self.slower)
        return float(a), float(b)

    def share(self, mfu: float) -> Share:
        """Share of the steady rate that a run of a new developer keeps at a predicted MFU."""
        if len(self.developers) < FEWEST_RUNS:
            return KEPT
        a, b = self.line()
        low, _, high = quantiles_of_new(self.left, self.developers)
        middle = float(np.exp(-(a + b * np.log(mfu))))
        return (
            middle * float(np.exp(-max(high, 0.0))),
            middle,
            middle * float(np.exp(-min(low, 0.0))),
        )

    @cached_property
    def left(self) -> Array:
        """What the line of all other developers, if there are any, leaves of each run (runs)."""
        left = np.empty(len(self.mfu))
        for developer in set(self.developers):
            own = np.array([name == developer for name in self.developers])
            others = self.without(developer)
            a, b = (others if others.developers else self).line()
            left[own] = self.slower[own] - a - b * np.log(self.mfu[own])
        return left

    def without(self, developer: str) -> Kept:
        """The runs of all other developers."""
        others = [place for place, name in enumerate(self.developers) if name != developer]
        return Kept(
            tuple(self.developers[place] for place in others),
            self.mfu[others],
            self.slower[others],
            None if self.trust is None else self.trust[others],
        )


def kept_shares(rows: Sequence[RunRow], evaluated: Evaluated, pool: Pool) -> list[Share]:
    """Share of its steady rate that each run keeps; its developer's own runs are left out."""
    known, shares = known_runs(pool), []
    for row, mfu in zip(rows, steady_mfu(rows, evaluated), strict=True):
        low, middle, high = known.without(row.developer).share(float(mfu))
        more = _without_restarts(row)
        shares.append((low * more, middle * more, high * more))
    return shares


def known_runs(pool: Pool) -> Kept:
    """Published runs whose hours were measured and may be fitted; those that calibrate count too.

    First implementations keep what nobody else does, and are not among them.
    """
    tables = (read_runs(runs_of(name)) for name in (PUBLISHED, CALIBRATION))
    rows = [row for table in tables for row in table.rows if row.chip_hours and row.tells_hours]
    evaluated = evaluate([row.configuration for row in rows], pool, standing=pool.standing)
    reported = np.array([row.chip_hours for row in rows], float)
    restarts = np.array([_without_restarts(row) for row in rows])
    within = np.log1p([row.hours_within for row in rows])
    return Kept(
        tuple(row.developer for row in rows),
        steady_mfu(rows, evaluated),
        np.log(reported * restarts / steady_hours(rows, evaluated)),
        1 / (1 + (within / SPREAD) ** 2),
    )


def _without_restarts(row: RunRow) -> float:
    """Hours of the calendar over those that a run reports: more than 1 where it reports steps."""
    if not row.is_steady:
        return 1.0
    return 1 / goodput(None, row.configuration.n_chips).numbers()[0]


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
