"""The fit of the constants of serving, with families of models left out, and the bands.

Residuals are the logarithms of predicted over measured: time between tokens, mean seconds of a step
(sequences over tokens per second), and watts. A row far off counts by its distance (soft L1).
Families, not rows, are left out: the sizes and precisions of one family have one author's layers
and one server's kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energy.errors import MissingDataError
from simulator.fit.folds import BAND
from simulator.fit.least_squares import Objective, descend, jacobian, soft_l1
from simulator.serving.constants import SERVING_PRIORS, ServingConstants
from simulator.serving.fitted import FIGURES, Fitted
from simulator.serving.predict import serve
from simulator.serving.rows import Array, Problem

SCALE = 0.15
"""Residual at which a row stops counting by its square."""

LATENCY_WEIGHT = 0.7
"""Weight of the residual of the median time between tokens; those of the mean and of watts are 1,
as joules are their product."""

KINDS = ("dense", "moe")

STUDENT = (2.402, 1.472, 1.278, 1.196, 1.152, 1.124, 1.104, 1.090)
"""90 % quantile of Student's distribution over the normal one, with 1, 2, ... degrees of freedom:
by how much a band from a few families is wider than from many (Abramowitz and Stegun,
table 26.10)."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Errors:
    """ln(measured / predicted) of rows that no fit saw, by figure; arrays (rows).

    Attributes:
        by_figure: by the names of `FIGURES`.
        groups: families, or cases, that were left out together (rows).
        kinds: of the rows.
    """

    by_figure: dict[str, Array]
    groups: NDArray[np.str_]
    kinds: NDArray[np.str_]

    def band(self, figure: str, kind: str, without: str = "") -> tuple[float, float]:
        """Ends of the 80 % band of a new group, as logarithms.

        The quantiles of the rows of the other groups, wider as they are few.
        """
        chosen = (self.kinds == kind) & (self.groups != without)
        errors = self.by_figure[figure][chosen]
        known = np.isfinite(errors)
        families = len(set(self.groups[chosen][known]))
        if families < 1:
            raise MissingDataError(f"expected measured rows of {kind} models", "none")
        low, high = np.quantile(errors[known], BAND)
        wider = STUDENT[min(max(families - 1, 1), len(STUDENT)) - 1]
        return min(float(low * wider), 0.0), max(float(high * wider), 0.0)


def fit(problem: Problem, start: Array | None = None, iterations: int = 60) -> Array:
    """Fit constants to rows.

    Args:
        problem: the rows.
        start: logarithms of constants to begin with; the priors without it.
        iterations: at most.

    Returns:
        Logarithms of the constants, in the order of `SERVING_PRIORS`.
    """
    priors = list(SERVING_PRIORS.values())
    center = np.log([prior.value for prior in priors])
    low, high = np.log([prior.low for prior in priors]), np.log([prior.high for prior in priors])

    def residuals(x: Array) -> Array:
        constants = ServingConstants.at(x)
        return _residuals(problem, serve(problem.at(constants), constants))

    return descend(
        center.copy() if start is None else start,
        Objective(
            residuals=residuals,
            jacobian=lambda x, r: jacobian(residuals, x, r, high),
            loss=soft_l1(SCALE),
            center=center,
            width=np.log([prior.factor for prior in priors]),
            clip=lambda x: np.clip(x, low, high),
        ),
        iterations=iterations,
        least_gain=1e-6,
    ).x


def _residuals(problem: Problem, served: Any) -> Array:
    measured, chips = problem.measured, problem.service.chips
    pairs = (
        (LATENCY_WEIGHT, served.itl_s, measured["itl_ms"] / 1e3),
        (1.0, served.tokens_per_s, measured["tok_s"]),
        (1.0, served.draw.chip_w, measured["watts"] / chips),
    )
    parts = [weight * np.log(predicted / figure) for weight, predicted, figure in pairs]
    return np.asarray(np.nan_to_num(np.concatenate(parts), nan=0.0))


def left_out(
    problem: Problem,
    start: Array,
    groups: NDArray[np.str_],
    on_progress: Progress = lambda _: None,
) -> Errors:
    """Fit without each group of rows, and predict it.

    Args:
        problem: the rows.
        start: constants of all rows, from which the fits begin.
        groups: families, or cases (rows).
        on_progress: called with each group.
    """
    errors = {name: np.full(len(groups), np.nan) for name in FIGURES}
    for group in sorted(set(groups)):
        on_progress(f"fitting without {group}")
        out = groups == group
        x = fit(problem.take(~out), start, iterations=20)
        for name, values in errors_of(problem.take(out), ServingConstants.at(x)).items():
            errors[name][out] = values
    return Errors(errors, groups, problem.kinds)


def errors_of(problem: Problem, constants: ServingConstants) -> dict[str, Array]:
    """ln(measured / predicted) of each figure (rows); not a number where it was not measured."""
    served = serve(problem.at(constants), constants)
    measured = {
        "j_per_token": problem.measured["j_per_token"],
        "itl_s": problem.measured["itl_ms"] / 1e3,
    }
    return {name: np.log(measured[name] / np.asarray(getattr(served, name))) for name in measured}


def refit(problem: Problem, on_progress: Progress = lambda _: None) -> Fitted:
    """Fit the constants to all rows, and the bands to families left out."""
    on_progress("fitting all rows")
    x = fit(problem)
    groupings = (problem.families, problem.cases)
    errors = [left_out(problem, x, groups, on_progress) for groups in groupings]
    bands, known_bands = (
        {kind: {name: error.band(name, kind) for name in FIGURES} for kind in KINDS}
        for error in errors
    )
    return Fitted(
        ServingConstants.at(x),
        bands,
        known_bands,
        tuple(sorted(set(map(str, problem.families)))),
        len(problem.families),
    )
