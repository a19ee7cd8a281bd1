"""The solver below both fits: robust least squares of positive constants, with priors and ranges.

Deliberately small: about twenty constants and a few hundred rows. Residuals are logarithms of
predicted over measured, so a factor of two weighs the same at a microsecond and at a second. A row
far off counts by its distance, not by its square (soft L1). A prior is one more residual.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.physics.constants import PRIORS, Constants

Array = NDArray[np.float64]

ITERATIONS = 100

IDENTIFIED = 0.5
"""A constant is identified when the rows leave less than this share of its prior's width."""


@dataclass(frozen=True)
class Fit:
    """Fitted constants and how well the rows determine them.

    Attributes:
        values: the constants, by name.
        residuals: ln(predicted / measured) of each row.
        identified: names that the rows determine.
        not_identified: names that keep their prior or reach the end of their range, with the
            reason.
    """

    values: dict[str, float]
    residuals: Array
    identified: tuple[str, ...]
    not_identified: dict[str, str]

    @property
    def constants(self) -> Constants:
        """The fitted constants, and priors for those that were not fitted."""
        return Constants.from_dict(self.values)


def fit(
    names: tuple[str, ...],
    predict: Callable[[dict[str, float]], Array],
    measured: Array,
    *,
    scale: float = 0.1,
) -> Fit:
    """Fit constants so that predictions agree with measurements.

    Args:
        names: constants to fit, starting from their priors.
        predict: from constants by name to predictions (rows).
        measured: positive (rows).
        scale: residual at which a row stops counting by its square.

    Returns:
        The best constants, and which of them the rows determine.
    """
    priors = [PRIORS[name] for name in names]
    center = np.log([p.value for p in priors])
    low = np.log([max(p.low, 1e-12) for p in priors])
    high = np.log([p.high for p in priors])

    def constants(x: Array) -> dict[str, float]:
        # The exponential of the end of a range may be rounded to just outside of it.
        columns = zip(names, np.exp(x).tolist(), priors, strict=True)
        return {name: min(max(value, p.low), p.high) for name, value, p in columns}

    def residuals(x: Array) -> Array:
        return np.asarray(np.log(predict(constants(x)) / measured))

    descent = descend(
        np.clip(center, low, high),
        Objective(
            residuals=residuals,
            jacobian=lambda x, r: jacobian(residuals, x, r, high),
            loss=soft_l1(scale),
            center=center,
            width=np.log([p.factor for p in priors]),
            clip=lambda x: np.clip(x, low, high),
        ),
        iterations=ITERATIONS,
        least_gain=1e-9,
    )
    shares = zip(names, descent.width_left, strict=True)
    return Fit(
        values=constants(descent.x),
        residuals=descent.residuals,
        identified=tuple(name for name, share in shares if share < IDENTIFIED),
        not_identified=undetermined(names, descent, low, high),
    )


@dataclass(frozen=True)
class Loss:
    """A robust loss of residuals.

    Attributes:
        value: from residuals (rows) to the sum over rows.
        curvature: from residuals (rows) to the weight of a row's squared derivative (rows).
    """

    value: Callable[[Array], float]
    curvature: Callable[[Array], Array]


def soft_l1(scale: float) -> Loss:
    """A loss that is quadratic below a residual of `scale` and linear above."""
    return Loss(
        value=lambda r: float((2 * (np.sqrt(1 + (r / scale) ** 2) - 1)).sum()),
        curvature=lambda r: np.asarray(1 / (scale**2 * np.sqrt(1 + (r / scale) ** 2))),
    )


@dataclass(frozen=True)
class Objective:
    """What is minimized: a robust loss of residuals plus normal priors.

    Attributes:
        residuals: at a point (rows).
        jacobian: at a point with its residuals (rows, numbers).
        loss: of the residuals.
        center: of the priors (numbers).
        width: one sigma of the priors (numbers).
        clip: moves a point into its range.
    """

    residuals: Callable[[Array], Array]
    jacobian: Callable[[Array, Array], Array]
    loss: Loss
    center: Array
    width: Array
    clip: Callable[[Array], Array]

    def value(self, x: Array, r: Array) -> float:
        """The objective at a point with its residuals."""
        return self.loss.value(r) + float((((x - self.center) / self.width) ** 2).sum())


@dataclass(frozen=True)
class Descent:
    """The end of a descent.

    Attributes:
        x: the point (numbers).
        residuals: at that point (rows).
        width_left: share of each prior's width that the rows leave (numbers).
    """

    x: Array
    residuals: Array
    width_left: Array


def descend(
    x: Array,
    objective: Objective,
    *,
    iterations: int,
    least_gain: float,
    longest: float = np.inf,
) -> Descent:
    """Minimize an objective with Levenberg-Marquardt.

    Args:
        x: where to begin (numbers).
        objective: what to minimize.
        iterations: at most.
        least_gain: stop after an iteration that lowers the objective by no larger share.
        longest: largest move of a number in one iteration.
    """
    r = objective.residuals(x)
    damping, best = 1e-2, objective.value(x, r)
    normal = np.eye(len(x))
    for _ in range(iterations):
        slopes = objective.jacobian(x, r)
        weight = objective.loss.curvature(r)
        normal = (slopes.T * weight) @ slopes + np.diag(1 / objective.width**2)
        gradient = (slopes.T * weight) @ r + (x - objective.center) / objective.width**2
        gain = 0.0
        while damping < 1e8:
            move = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), gradient)
            trial = objective.clip(x - np.clip(move, -longest, longest))
            trial_r = objective.residuals(trial)
            value = objective.value(trial, trial_r)
            if value < best:
                gain, x, r, best = best - value, trial, trial_r, value
                damping = max(damping / 5, 1e-9)
                break
            damping *= 4
        if gain <= least_gain * best:
            break
    return Descent(x, r, np.sqrt(np.diag(np.linalg.inv(normal))) / objective.width)


def jacobian(residuals: Callable[[Array], Array], x: Array, r: Array, high: Array) -> Array:
    """Derivatives of the residuals by the logarithms (rows, constants), by small steps inward."""
    columns = []
    for i in range(len(x)):
        moved = x.copy()
        step = -1e-5 if x[i] + 1e-5 > high[i] else 1e-5
        moved[i] += step
        columns.append((residuals(moved) - r) / step)
    return np.stack(columns, axis=1)


def undetermined(
    names: tuple[str, ...], descent: Descent, low: Array, high: Array
) -> dict[str, str]:
    """The constants that the rows do not determine, with the reason.

    Args:
        names: of the first numbers of the descent.
        descent: its end.
        low: ends of the ranges (numbers).
        high: likewise.
    """
    reasons = {}
    x, left = descent.x, descent.width_left
    for i, name in enumerate(names):
        if left[i] >= IDENTIFIED:
            reasons[name] = f"the rows leave {left[i]:.0%} of the prior's width"
        elif min(x[i] - low[i], high[i] - x[i]) < 1e-6:
            reasons[name] = "at the end of its range"
    return reasons
