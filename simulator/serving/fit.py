"""The fit of the constants of serving, with families of models left out, and the bands.

Residuals are the logarithms of predicted over measured: time between tokens, mean seconds of a step
(sequences over tokens per second), and watts. A row far off counts by its distance (soft L1).
Families, not rows, are left out: the sizes and precisions of one family have one author's layers
and one server's kernels.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energy.errors import InputError, MissingDataError
from energy.files import write_text_atomic
from energy.inputs import read_json
from simulator.fit.folds import BAND
from simulator.fit.least_squares import Objective, descend, soft_l1
from simulator.published.shipped import shipped
from simulator.serving.constants import SERVING_PRIORS, ServingConstants
from simulator.serving.predict import serve
from simulator.serving.rows import Array, Problem

FILE = "serving_constants.json"

SCHEMA = "serving-1"

SCALE = 0.15
"""Residual at which a row stops counting by its square."""

LATENCY_WEIGHT = 0.7
"""Weight of the residual of the median time between tokens; those of the mean and of watts are 1,
as joules are their product."""

FIGURES = ("j_per_token", "itl_s")
"""Figures with a band: what a prediction states and a row measures."""

KINDS = ("dense", "moe")

STUDENT = (2.402, 1.472, 1.278, 1.196, 1.152, 1.124, 1.104, 1.090)
"""90 % quantile of Student's distribution over the normal one, with 1, 2, ... degrees of freedom:
by how much a band from a few families is wider than from many (Abramowitz and Stegun,
table 26.10)."""

Progress = Callable[[str], None]

Bands = dict[str, dict[str, tuple[float, float]]]
"""Ends of 80 % bands of ln(measured / predicted), by kind and figure."""


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
        served = serve(problem.at(ServingConstants.at(x)), ServingConstants.at(x))
        return _residuals(problem, served)

    def jacobian(x: Array, r: Array) -> Array:
        columns = []
        for place in range(len(x)):
            moved = x.copy()
            size = -1e-5 if x[place] + 1e-5 > high[place] else 1e-5
            moved[place] += size
            columns.append((residuals(moved) - r) / size)
        return np.stack(columns, axis=1)

    return descend(
        center.copy() if start is None else start,
        Objective(
            residuals=residuals,
            jacobian=jacobian,
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


@dataclass(frozen=True)
class Fitted:
    """Constants and bands.

    Attributes:
        constants: of the physics.
        bands: ln of the ends by kind and figure, for a family that no row is of.
        known_bands: the same for a family that rows are of: its other models, or chips.
        families: that the constants were fitted to.
        rows: as many.
    """

    constants: ServingConstants
    bands: Bands
    known_bands: Bands
    families: tuple[str, ...]
    rows: int

    def band(self, kind: str, figure: str, family: str = "") -> tuple[float, float]:
        """Ends of the band of a figure, as logarithms.

        Args:
            kind: of the model.
            figure: of `FIGURES`.
            family: of the model; empty for one that no row is of.
        """
        return (self.known_bands if family in self.families else self.bands)[kind][figure]

    def relative(self, kind: str, figure: str, family: str = "") -> tuple[float, float]:
        """The band of a figure as relative deviations: (-0.3, 0.4) is -30 to +40 %."""
        low, high = self.band(kind, figure, family)
        return float(np.expm1(low)), float(np.expm1(high))

    def save(self, path: Path) -> None:
        """Write the file of constants."""
        write_text_atomic(path, json.dumps(self.as_dict(), indent=1) + "\n")

    def as_dict(self) -> dict[str, Any]:
        """The content of the file of constants."""
        return {
            "schema": SCHEMA,
            "rows": self.rows,
            "families": list(self.families),
            "constants": {
                name: float(f"{value:.5g}") for name, value in asdict(self.constants).items()
            },
            "bands": _rounded(self.bands),
            "known_bands": _rounded(self.known_bands),
        }


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


def _rounded(bands: Bands) -> dict[str, dict[str, list[float]]]:
    return {
        kind: {name: [round(end, 4) for end in ends] for name, ends in figures.items()}
        for kind, figures in bands.items()
    }


def _read_bands(table: dict[str, dict[str, list[float]]]) -> Bands:
    return {
        kind: {name: (float(ends[0]), float(ends[1])) for name, ends in figures.items()}
        for kind, figures in table.items()
    }


def load(path: Path) -> Fitted:
    """Read a file of constants.

    Raises:
        InputError: there is no such file, or it is not one of constants of serving.
    """
    table = read_json(path, "the constants of serving")
    try:
        if table["schema"] != SCHEMA:
            raise KeyError("schema")
        return Fitted(
            ServingConstants.from_dict(table["constants"]),
            _read_bands(table["bands"]),
            _read_bands(table["known_bands"]),
            tuple(map(str, table["families"])),
            int(table["rows"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise InputError(
            "expected the constants of serving",
            str(path),
            "name a file that simulator calibrate --serving FILE.csv has written",
        ) from error


@cache
def shipped_fit() -> Fitted:
    """The constants of the package."""
    return load(shipped(FILE))
