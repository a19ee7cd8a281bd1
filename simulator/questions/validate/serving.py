"""Joules and latency of served models, predicted and measured.

By the constants as they are, or with folds: each family of models is predicted by constants that
were fitted without it, and has the band of the other families' errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energy.errors import MissingDataError
from simulator.published.publishers import publisher_of
from simulator.questions.validate.summary import Summary
from simulator.serving.constants import ServingConstants
from simulator.serving.figures import constants_of
from simulator.serving.fit import KINDS, Errors, Progress, errors_of, fit, left_out
from simulator.serving.fitted import FIGURES
from simulator.serving.rows import Problem, ServingTable, read_serving

Array = NDArray[np.float64]

NAMES = {"j_per_token": "j_per_token", "itl_s": "itl_ms"}
"""Figures by the names of the table, which scripts rely on."""

UNIT_OF_TABLE = {"j_per_token": 1.0, "itl_s": 1e3}


@dataclass(frozen=True)
class ServingValidation:
    """Rows of served models beside their predictions.

    Attributes:
        table: the rows, and why others cannot be predicted.
        problem: they as arrays.
        errors: ln(measured / predicted) by figure.
        low: ln of the lower end of the band over the prediction, by figure (rows).
        high: likewise.
        folds: whether each family was left out of the fit that predicts it.
    """

    table: ServingTable
    problem: Problem
    errors: Errors
    low: dict[str, Array]
    high: dict[str, Array]
    folds: bool

    def summaries(self, figure: str) -> dict[str, Summary]:
        """The errors of a figure: all, dense, mixtures."""
        kinds = self.errors.kinds
        masks = {"all": np.ones(len(kinds), bool)} | {kind: kinds == kind for kind in KINDS}
        return {name: self._summary(figure, mask) for name, mask in masks.items()}

    def by_family(self, figure: str) -> dict[str, Summary]:
        """The errors of a figure of each family and kind."""
        names = [
            f"{family} {kind}"
            for family, kind in zip(self.problem.families, self.errors.kinds, strict=True)
        ]
        return {name: self._summary(figure, np.array(names) == name) for name in sorted(set(names))}

    def _summary(self, figure: str, mask: NDArray[np.bool_]) -> Summary:
        error = self.errors.by_figure[figure]
        known = mask & np.isfinite(error)
        low, high = self.low[figure], self.high[figure]
        publishers = np.array([publisher_of(row.source, "").name for row in self.table.rows])
        return Summary.of(
            np.expm1(-error[known]),
            (error[known] >= low[known]) & (error[known] <= high[known]),
            np.exp(high[known] - low[known]),
            publishers[known],
        )

    def as_json(self) -> dict[str, Any]:
        """Summaries of both figures, and all rows."""
        return {
            name: {group: summary.as_json() for group, summary in self.summaries(figure).items()}
            | {
                "by_family": {
                    family: summary.as_json() for family, summary in self.by_family(figure).items()
                }
            }
            for figure, name in NAMES.items()
        } | {
            "families_left_out": self.folds,
            "rows": self.rows_as_json(),
            "skipped": self.table.skipped,
        }

    def rows_as_json(self) -> list[dict[str, Any]]:
        """A row for each configuration: predicted, measured, error and band of each figure."""
        return [
            {
                "row_id": row.row_id,
                "model": row.model_name,
                "known_as": row.known_as,
                "assumed_sizes": row.is_assumed,
                "kind": row.kind,
                "chip": row.chip.id,
                "chips": row.chips,
                "batch": row.batch,
            }
            | {name: self._cell(figure, place) for figure, name in NAMES.items()}
            for place, row in enumerate(self.table.rows)
        ]

    def _cell(self, figure: str, place: int) -> dict[str, float | bool | None]:
        measured = self.measured(figure)[place]
        error = self.errors.by_figure[figure][place]
        if not np.isfinite(error):
            return dict.fromkeys(("predicted", "measured", "error", "low", "high", "in_band"))
        predicted = float(measured * np.exp(-error))
        low, high = self.low[figure][place], self.high[figure][place]
        return {
            "predicted": predicted,
            "measured": float(measured),
            "error": float(np.expm1(-error)),
            "low": predicted * float(np.exp(low)),
            "high": predicted * float(np.exp(high)),
            "in_band": bool(low <= error <= high),
        }

    def measured(self, figure: str) -> Array:
        """Measured figures in the unit of the table (rows)."""
        return self.problem.measured[NAMES[figure]]


def validate_serving(
    name: Path | str,
    constants: Path | str | None = None,
    *,
    with_folds: bool = False,
    on_progress: Progress = lambda _: None,
) -> ServingValidation:
    """Predict the rows of a table, and compare with what they report.

    Args:
        name: a table with the columns of `serving_energy.csv`, or the word published.
        constants: a file of constants of serving instead of the published fit.
        with_folds: fit again without each family of the table, and predict that.
        on_progress: called during these fits.

    Raises:
        InputError: the file is not what it should be.
        MissingDataError: no row can be predicted.
    """
    table = read_serving(name)
    if not table.rows:
        raise MissingDataError(
            "expected rows that can be predicted", next(iter(table.skipped.values()), "none")
        )
    problem = Problem.of(table.rows)
    fitted = constants_of(constants)
    if with_folds:
        on_progress("fitting all rows")
        errors = left_out(problem, fit(problem), problem.families, on_progress)
        low, high = _bands_left_out(errors)
        return ServingValidation(table, problem, errors, low, high, True)
    values = _errors(problem, fitted.constants)
    ends = {
        name: np.array(
            [
                fitted.band(str(kind), name, str(family))
                for kind, family in zip(problem.kinds, problem.families, strict=True)
            ]
        )
        for name in FIGURES
    }
    low = {name: end[:, 0] for name, end in ends.items()}
    high = {name: end[:, 1] for name, end in ends.items()}
    return ServingValidation(table, problem, values, low, high, False)


def _errors(problem: Problem, constants: ServingConstants) -> Errors:
    return Errors(errors_of(problem, constants), problem.families, problem.kinds)


def _bands_left_out(errors: Errors) -> tuple[dict[str, Array], dict[str, Array]]:
    """Ends of each row's band, from the errors of the other families of its kind.

    Raises:
        MissingDataError: a kind has a single family, so there are no others.
    """
    low = {name: np.full(len(errors.kinds), np.nan) for name in FIGURES}
    high = {name: np.full(len(errors.kinds), np.nan) for name in FIGURES}
    for family in set(errors.groups):
        for kind in set(errors.kinds[errors.groups == family]):
            chosen = (errors.groups == family) & (errors.kinds == kind)
            for name in FIGURES:
                ends = errors.band(name, str(kind), str(family))
                low[name][chosen], high[name][chosen] = ends
    return low, high
