"""A robust least-squares fit of positive constants in logarithms, with priors and ranges.

Small on purpose: some twenty constants, some hundred rows. Residuals are logarithms of predicted
over measured, so a factor of two weighs the same at a microsecond and at a second; a row far off
counts by its distance, not its square (soft L1); a prior is one more residual.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.physics.constants import Constants, prior

Array = NDArray[np.float64]


ITERATIONS = 100


IDENTIFIED = 0.5
"""A constant is identified when the rows leave less than this share of its prior's width."""


@dataclass(frozen=True)
class Fit:
    """What a fit found.

    Attributes:
        values: the constants, by name.
        residuals: ln(predicted / measured) of each row.
        identified: names that the rows determine.
        not_identified: names that keep their prior or run into their range, with the reason.
    """

    values: dict[str, float]
    residuals: Array
    identified: tuple[str, ...]
    not_identified: dict[str, str]


def fit(
    names: tuple[str, ...],
    predict: Callable[[dict[str, float]], Array],
    measured: Array,
    *,
    scale: float = 0.1,
) -> Fit:
    """Fit constants so that predictions meet measurements.

    Args:
        names: constants to fit, starting from their priors.
        predict: from constants by name to predictions (rows).
        measured: positive (rows).
        scale: residual at which a row stops counting by its square.

    Returns:
        The best constants, and which of them the rows determine.
    """
    priors = [prior(name) for name in names]
    centre = np.log([one.value for one in priors])
    width = np.log([one.factor for one in priors])
    low = np.log([max(one.low, 1e-12) for one in priors])
    high = np.log([one.high for one in priors])

    def constants(x: Array) -> dict[str, float]:
        # The exponential of a range's end may round to just outside it.
        ends = zip(names, np.exp(x).tolist(), priors, strict=True)
        return {name: min(max(value, one.low), one.high) for name, value, one in ends}

    def residuals(x: Array) -> Array:
        return np.asarray(np.log(predict(constants(x)) / measured))

    def cost(r: Array) -> float:
        return float((2 * (np.sqrt(1 + (r / scale) ** 2) - 1)).sum())

    def curvature(r: Array) -> Array:
        return np.asarray(1 / (scale**2 * np.sqrt(1 + (r / scale) ** 2)))

    start = np.clip(centre, low, high)
    found = descend(
        start,
        residuals,
        lambda x, r: _jacobian(residuals, x, r, high),
        Loss(cost, curvature),
        centre,
        width,
        lambda x: np.clip(x, low, high),
        iterations=ITERATIONS,
        least_gain=1e-9,
    )
    x, r = found.x, found.residuals
    left = found.left
    return Fit(
        values=constants(x),
        residuals=r,
        identified=tuple(
            name for name, share in zip(names, left, strict=True) if share < IDENTIFIED
        ),
        not_identified=weak(names, x, low, high, left),
    )


@dataclass(frozen=True)
class Loss:
    """A robust loss of residuals.

    Attributes:
        value: the sum over rows.
        curvature: what a row's squared derivative counts (rows).
    """

    value: Callable[[Array], float]
    curvature: Callable[[Array], Array]


@dataclass(frozen=True)
class Descent:
    """Where a descent ended: logarithms, residuals, and the share of each prior's width left."""

    x: Array
    residuals: Array
    left: Array


def descend(
    x: Array,
    residuals: Callable[[Array], Array],
    jacobian: Callable[[Array, Array], Array],
    loss: Loss,
    centre: Array,
    width: Array,
    inside: Callable[[Array], Array],
    *,
    iterations: int,
    least_gain: float,
    longest: float = np.inf,
) -> Descent:
    """Levenberg-Marquardt on a robust loss with priors.

    Args:
        x: where to begin (numbers).
        residuals: of a place (rows).
        jacobian: of a place and its residuals (rows, numbers).
        loss: of residuals.
        centre: of the priors.
        width: one sigma of each.
        inside: a place brought back into its range.
        iterations: at most.
        least_gain: share of the cost that an iteration gains, or it is the last.
        longest: most that a number moves in one iteration.
    """

    def cost(x: Array, r: Array) -> float:
        return loss.value(r) + float((((x - centre) / width) ** 2).sum())

    r = residuals(x)
    damping, best = 1e-2, cost(x, r)
    normal = np.eye(len(x))
    for _ in range(iterations):
        slopes = jacobian(x, r)
        weight = loss.curvature(r)
        normal = (slopes.T * weight) @ slopes + np.diag(1 / width**2)
        downhill = (slopes.T * weight) @ r + (x - centre) / width**2
        gained = 0.0
        while damping < 1e8:
            move = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), downhill)
            tried = inside(x - np.clip(move, -longest, longest))
            found = residuals(tried)
            value = cost(tried, found)
            if value < best:
                gained, x, r, best = best - value, tried, found, value
                damping = max(damping / 5, 1e-9)
                break
            damping *= 4
        if gained <= least_gain * best:
            break
    return Descent(x, r, np.sqrt(np.diag(np.linalg.inv(normal))) / width)


def _jacobian(residuals: Callable[[Array], Array], x: Array, r: Array, high: Array) -> Array:
    """Derivatives of the residuals by the logarithms (rows, constants), by small steps inward."""
    columns = []
    for i in range(len(x)):
        moved = x.copy()
        step = -1e-5 if x[i] + 1e-5 > high[i] else 1e-5
        moved[i] += step
        columns.append((residuals(moved) - r) / step)
    return np.stack(columns, axis=1)


def weak(names: tuple[str, ...], x: Array, low: Array, high: Array, left: Array) -> dict[str, str]:
    """Names that the rows do not determine, with the reason."""
    found = {}
    for i, name in enumerate(names):
        if left[i] >= IDENTIFIED:
            found[name] = f"the rows leave {left[i]:.0%} of the prior's width"
        elif min(x[i] - low[i], high[i] - x[i]) < 1e-6:
            found[name] = "at the end of its range"
    return found


def fitted_constants(found: Fit) -> Constants:
    """The constants of a fit, priors for those that were not fitted."""
    return Constants.from_dict(found.values)
