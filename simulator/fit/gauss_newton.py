"""The fit of pooled constants to rows: Gauss-Newton in logarithms, robust, with priors.

Residuals are ln(predicted / measured). A row's derivative by a deviation of its group is that by
the world's constant, so each iteration predicts all rows once a constant, however many groups
there are. A row far off counts by the logarithm of its distance (Cauchy): tables hold runs that
stalled for reasons no configuration shows, and they must not bend what the others say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simulator.fit.least_squares import Loss, descend, weak
from simulator.fit.pool import DEVIATIONS, Pool, world_priors
from simulator.physics.constants import Constants, prior

Array = NDArray[np.float64]


Groups = dict[str, NDArray[np.str_]]


SCALE = 0.1
"""One sigma of the residual of a row: what frameworks and laboratories differ by."""


TAIL = 0.25
"""Residual at which a row stops counting by its square."""


FEWEST = 4
"""Rows that a group has at least, to differ from the world."""


STEP = 1e-4


@dataclass(frozen=True)
class Problem:
    """What is fitted.

    Attributes:
        names: world constants.
        groups: words of each row by grouping.
        predict: from constants (arrays, a place a row) to predictions.
        measured: of each row.
        weight: of each row.
    """

    names: tuple[str, ...]
    groups: Groups
    predict: Callable[[Constants], Array]
    measured: Array
    weight: Array


@dataclass(frozen=True)
class PooledFit:
    """What a fit found: the pool, the residuals of its rows, and what they do not determine."""

    pool: Pool
    residuals: Array
    not_identified: dict[str, str]


def fit_pool(
    problem: Problem,
    start: Pool,
    iterations: int = 25,
    *,
    around: Pool | None = None,
    trust: float = 1.0,
) -> PooledFit:
    """Fit world constants and deviations.

    Args:
        problem: rows and what predicts them.
        start: where to begin.
        iterations: at most.
        around: a pool whose world is the centre of the priors; None is the physical priors.
        trust: share of the priors' width that is left around it.
    """
    layout = _Layout.of(problem)
    if around is not None:
        layout = layout.moved(around, trust)
    found = descend(
        layout.vector(start),
        lambda x: layout.residuals(x, problem),
        lambda x, r: layout.jacobian(x, r, problem),
        _loss(problem.weight),
        layout.centre,
        layout.width,
        layout.inside,
        iterations=iterations,
        least_gain=1e-4,
        longest=0.7,
    )
    names = len(problem.names)
    weak_names = weak(
        problem.names, found.x[:names], layout.low[:names], layout.high[:names], found.left[:names]
    )
    return PooledFit(layout.pool(found.x), found.residuals, weak_names)


def _loss(weight: Array) -> Loss:
    """Cauchy's, each row by its weight."""
    return Loss(
        lambda r: float((weight * (TAIL / SCALE) ** 2 * np.log1p((r / TAIL) ** 2)).sum()),
        lambda r: weight / (SCALE**2 * (1 + (r / TAIL) ** 2)),
    )


@dataclass(frozen=True)
class _Layout:
    """Where each number of a pool stands in the vector that is fitted."""

    names: tuple[str, ...]
    places: tuple[tuple[str, str, str], ...]
    members: tuple[NDArray[np.bool_], ...]
    centre: Array
    width: Array
    low: Array
    high: Array

    @classmethod
    def of(cls, problem: Problem) -> _Layout:
        centre, width = world_priors(problem.names)
        places, members, sigmas = [], [], []
        for grouping, words in problem.groups.items():
            for constant, sigma in DEVIATIONS[grouping].items():
                if constant in problem.names:
                    known, counts = np.unique(words[problem.weight > 0], return_counts=True)
                    for group in known[counts >= FEWEST]:
                        places.append((grouping, str(group), constant))
                        members.append(words == group)
                        sigmas.append(sigma)
        found = [prior(name) for name in problem.names]
        end = np.full(len(places), np.inf)
        return cls(
            problem.names,
            tuple(places),
            tuple(members),
            np.concatenate([centre, np.zeros(len(places))]),
            np.concatenate([width, sigmas]),
            np.concatenate([np.log([one.low for one in found]), -end]),
            np.concatenate([np.log([one.high for one in found]), end]),
        )

    def moved(self, around: Pool, trust: float) -> _Layout:
        """The same places with narrower priors around a pool."""
        width = self.width.copy()
        width[: len(self.names)] *= trust
        return replace(self, centre=self.vector(around), width=width)

    def inside(self, x: Array) -> Array:
        return np.clip(x, self.low, self.high)

    def vector(self, pool: Pool) -> Array:
        x = self.centre.copy()
        for i, name in enumerate(self.names):
            if name in pool.world:
                x[i] = np.log(pool.world[name])
        for i, (grouping, group, constant) in enumerate(self.places, start=len(self.names)):
            x[i] = pool.deviations.get(grouping, {}).get(group, {}).get(constant, 0.0)
        return self.inside(x)

    def pool(self, x: Array) -> Pool:
        world = dict(zip(self.names, np.exp(x[: len(self.names)]).tolist(), strict=True))
        deviations: dict[str, dict[str, dict[str, float]]] = {}
        for (grouping, group, constant), value in zip(
            self.places, x[len(self.names) :].tolist(), strict=True
        ):
            deviations.setdefault(grouping, {}).setdefault(group, {})[constant] = value
        return Pool(world, deviations)

    def residuals(self, x: Array, problem: Problem) -> Array:
        return _residuals(self.pool(x), problem)

    def jacobian(self, x: Array, r: Array, problem: Problem) -> Array:
        """Derivatives of the residuals (rows, numbers of the pool)."""
        columns = np.zeros((len(r), len(x)))
        for i in range(len(self.names)):
            moved = x.copy()
            moved[i] += -STEP if x[i] + STEP > self.high[i] else STEP
            columns[:, i] = (self.residuals(moved, problem) - r) / (moved[i] - x[i])
        index = {name: i for i, name in enumerate(self.names)}
        for i, ((_, _, constant), rows) in enumerate(
            zip(self.places, self.members, strict=True), start=len(self.names)
        ):
            columns[:, i] = np.where(rows, columns[:, index[constant]], 0.0)
        return columns


def _residuals(pool: Pool, problem: Problem) -> Array:
    predicted = problem.predict(pool.resolve(problem.groups))
    return np.asarray(np.log(predicted / problem.measured))
