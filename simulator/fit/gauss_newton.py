"""The numerical fit of a pool to any rows: Gauss-Newton in logarithms, robust, with priors.

Residuals are ln(predicted / measured). A row's derivative by a deviation of its group equals that
by the world constant, so an iteration predicts all rows once per constant, all in one call, however
many groups there are. A row far off counts by the logarithm of its distance (Cauchy): tables
contain runs that were slow for reasons that no configuration shows, and these must not bend the fit
of the others.

Rows of one framework share errors, so many of them say little more of the constants of everyone
than a few do. But they say more of the framework. So deviations of frameworks are sought once more,
with all weight of their rows and nothing else moved: what many rows say of their framework
does not flow back (a cut, Plummer 2015, doi:10.1007/s11222-014-9503-z).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from simulator.fit.least_squares import Loss, Objective, descend, undetermined
from simulator.fit.pool import DEVIATIONS, Pool, world_priors
from simulator.physics.constants import PRIORS, Constants

Array = NDArray[np.float64]

Groups = dict[str, NDArray[np.str_]]

SCALE = 0.1
"""One sigma of the residual of a row: the spread between frameworks and laboratories."""

TAIL = 0.25
"""Residual at which a row stops counting by its square."""

FEWEST = 4
"""Rows that a group needs to have deviations of its own."""

SWEEP_ROWS = 300
"""A framework of more rows than this is a sweep of layouts: all of its constants are its own, or it
would pull those of everyone else."""

OF_SWEEPS = {name: 0.8 * float(np.log(prior.factor)) for name, prior in PRIORS.items()}
"""One sigma of the deviations of a sweep: nearly the width of the priors of everyone.

Sizes that are left out err by 7.5 % above 20 % MFU (nanotron) and 6.2 % (one node). With 0.6 and 1
in place of 0.8 it is 7.2 and 7.7 %, 6.3 and 6.0 %; with 1.25 it is 18 and 5.8 %."""

OF_FRAMEWORK = "framework"
"""The grouping whose deviations are sought once more, while nothing else moves."""

OWN_ITERATIONS, OWN_LEAST_GAIN = 30, 1e-6
"""Of that search: it has many numbers of few rows, and ends late."""

LONGEST = 0.7
"""Largest move of a logarithm in one iteration."""

STEP = 1e-4
"""Step of the numerical derivatives, in logarithms."""


@dataclass(frozen=True)
class Problem:
    """Rows and the constants to fit to them.

    Attributes:
        names: world constants.
        groups: the group of each row, by grouping.
        predict: from constants (arrays over rows, or with axes before them) to predictions of the
            same axes.
        measured: (rows).
        weight: (rows).
    """

    names: tuple[str, ...]
    groups: Groups
    predict: Callable[[Constants], Array]
    measured: Array
    weight: Array


@dataclass(frozen=True)
class PooledFit:
    """A fitted pool, the residuals of its rows, and the constants that they do not determine."""

    pool: Pool
    residuals: Array
    not_identified: dict[str, str]


def fit_pool(
    problem: Problem,
    start: Pool,
    iterations: int = 25,
    *,
    again: Sequence[Problem] = (),
    around: Pool | None = None,
    trust: float = 1.0,
) -> PooledFit:
    """Fit world constants and deviations.

    Args:
        problem: rows and constants.
        start: where to begin.
        iterations: at most.
        again: rows whose frameworks are sought once more, by these weights, each by itself.
        around: a pool whose constants are the centers of the priors, and which the fitted one has
            for all that is not sought; None means the physical priors.
        trust: width of the priors around that pool, as a share of the physical ones.
    """
    layout = _Layout.of(problem)
    if around is not None:
        layout = layout.centered(around, trust)
    descent = descend(
        layout.vector(start),
        Objective(
            residuals=lambda x: layout.residuals(x, problem),
            jacobian=lambda x, r: layout.jacobian(x, r, problem),
            loss=_cauchy(problem.weight),
            center=layout.center,
            width=layout.width,
            clip=layout.clip,
        ),
        iterations=iterations,
        least_gain=1e-4,
        longest=LONGEST,
    )
    x, residuals = descent.x, descent.residuals
    for rows in again:
        x = _frameworks_again(x, layout.of_rows(rows), rows)
    if again:
        residuals = layout.residuals(x, problem)
    return PooledFit(
        pool=layout.pool(x),
        residuals=residuals,
        not_identified=undetermined(problem.names, descent, layout.low, layout.high),
    )


def _frameworks_again(x: Array, layout: _Layout, problem: Problem) -> Array:
    """The vector with the deviations of some rows' frameworks sought once more.

    Args:
        x: as everything was sought together (numbers).
        layout: of the vector, for these rows.
        problem: the rows.
    """
    names = set(problem.groups[OF_FRAMEWORK].tolist())
    ours = [grouping == OF_FRAMEWORK and group in names for grouping, group, _ in layout.places]
    own = len(layout.names) + np.flatnonzero(ours)
    if not len(own):
        return x

    def whole(part: Array) -> Array:
        moved = x.copy()
        moved[own] = part
        return moved

    descent = descend(
        x[own],
        Objective(
            residuals=lambda part: layout.residuals(whole(part), problem),
            jacobian=lambda part, r: layout.jacobian(whole(part), r, problem)[:, own],
            loss=_cauchy(problem.weight),
            center=layout.center[own],
            width=layout.width[own],
            clip=lambda part: part,
        ),
        iterations=OWN_ITERATIONS,
        least_gain=OWN_LEAST_GAIN,
        longest=LONGEST,
    )
    return whole(descent.x)


def _cauchy(weight: Array) -> Loss:
    """A loss that grows with the logarithm of large residuals, with a weight per row."""
    return Loss(
        value=lambda r: float((weight * (TAIL / SCALE) ** 2 * np.log1p((r / TAIL) ** 2)).sum()),
        curvature=lambda r: weight / (SCALE**2 * (1 + (r / TAIL) ** 2)),
    )


def _wider(first: dict[str, float], second: dict[str, float]) -> dict[str, float]:
    """The wider sigma of each constant of either."""
    return {name: max(first.get(name, 0.0), second.get(name, 0.0)) for name in first | second}


@dataclass(frozen=True)
class _Layout:
    """The place of each number of a pool in the vector that is fitted.

    Attributes:
        names: world constants, the first numbers of the vector.
        places: (grouping, group, constant) of the deviations that follow.
        members: rows of the group of each deviation.
        center: of the priors.
        width: of the priors.
        low: ends of the ranges.
        high: likewise.
        kept: the pool whose constants those of the vector replace.
    """

    names: tuple[str, ...]
    places: tuple[tuple[str, str, str], ...]
    members: tuple[NDArray[np.bool_], ...]
    center: Array
    width: Array
    low: Array
    high: Array
    kept: Pool = field(default_factory=Pool)

    @classmethod
    def of(cls, problem: Problem) -> _Layout:
        center, width = world_priors(problem.names)
        places, members, sigmas = [], [], []
        for grouping, words in problem.groups.items():
            known, counts = np.unique(words[problem.weight > 0], return_counts=True)
            usual = DEVIATIONS.get(grouping, {})
            for group, count in zip(known.tolist(), counts.tolist(), strict=True):
                if count < FEWEST:
                    continue
                is_sweep = grouping == OF_FRAMEWORK and count > SWEEP_ROWS
                for constant, sigma in (_wider(usual, OF_SWEEPS) if is_sweep else usual).items():
                    if constant in problem.names:
                        places.append((grouping, group, constant))
                        members.append(words == group)
                        sigmas.append(sigma)
        priors = [PRIORS[name] for name in problem.names]
        unbounded = np.full(len(places), np.inf)
        return cls(
            problem.names,
            tuple(places),
            tuple(members),
            np.concatenate([center, np.zeros(len(places))]),
            np.concatenate([width, sigmas]),
            np.concatenate([np.log([p.low for p in priors]), -unbounded]),
            np.concatenate([np.log([p.high for p in priors]), unbounded]),
        )

    def of_rows(self, problem: Problem) -> _Layout:
        """The same places for other rows."""
        members = [problem.groups[grouping] == group for grouping, group, _ in self.places]
        return replace(self, members=tuple(members))

    def centered(self, around: Pool, trust: float) -> _Layout:
        """The same places with narrower priors around a pool."""
        width = self.width.copy()
        width[: len(self.names)] *= trust
        return replace(self, center=self.vector(around), width=width, kept=around)

    def clip(self, x: Array) -> Array:
        return np.clip(x, self.low, self.high)

    def vector(self, pool: Pool) -> Array:
        x = self.center.copy()
        for i, name in enumerate(self.names):
            if name in pool.world:
                x[i] = np.log(pool.world[name])
        for i, (grouping, group, constant) in enumerate(self.places, start=len(self.names)):
            x[i] = pool.deviations.get(grouping, {}).get(group, {}).get(constant, 0.0)
        return self.clip(x)

    def pool(self, x: Array) -> Pool:
        world = dict(zip(self.names, np.exp(x[: len(self.names)]).tolist(), strict=True))
        deviations = {
            grouping: {group: dict(values) for group, values in groups.items()}
            for grouping, groups in self.kept.deviations.items()
        }
        for (grouping, group, constant), value in zip(
            self.places, x[len(self.names) :].tolist(), strict=True
        ):
            deviations.setdefault(grouping, {}).setdefault(group, {})[constant] = value
        return replace(self.kept, world=self.kept.world | world, deviations=deviations)

    def residuals(self, x: Array, problem: Problem) -> Array:
        predicted = problem.predict(self.pool(x).resolve(problem.groups))
        return np.asarray(np.log(predicted / problem.measured))

    def jacobian(self, x: Array, r: Array, problem: Problem) -> Array:
        """Derivatives of the residuals (rows, numbers of the vector)."""
        columns = np.zeros((len(r), len(x)))
        constants = self.pool(x).resolve(problem.groups)
        known = len(self.names)
        steps = np.where(x[:known] + STEP > self.high[:known], -STEP, STEP)
        # Every constant's step is a row of its own, so that all are predicted at once.
        stepped = {
            name: np.tile(np.broadcast_to(getattr(constants, name), r.shape), (known, 1))
            for name in PRIORS
        }
        for i, name in enumerate(self.names):
            moved = stepped[name][i] * np.exp(steps[i])
            stepped[name][i] = np.clip(moved, PRIORS[name].low, PRIORS[name].high)
        predicted = problem.predict(Constants(**stepped))
        columns[:, :known] = ((np.log(predicted / problem.measured) - r) / steps[:, None]).T
        index = {name: i for i, name in enumerate(self.names)}
        for i, ((_, _, constant), rows) in enumerate(
            zip(self.places, self.members, strict=True), start=len(self.names)
        ):
            columns[:, i] = np.where(rows, columns[:, index[constant]], 0.0)
        return columns
