"""Predicted throughput of rows beside their reported one, and the errors of the predictions.

Errors are stored as ln(predicted / reported) and summarized as predicted / reported - 1. The band
of a prediction is at 80 %.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energy.errors import MissingDataError
from energy.shape import total
from simulator.facts.kinds import KINDS
from simulator.fit.from_rows import measured_rates
from simulator.fit.pool import Pool
from simulator.fit.throughput import Evaluated, evaluate
from simulator.physics.step import Step, step
from simulator.published.candidates import Candidates
from simulator.published.throughput import Table, ThroughputRow
from simulator.questions.validate.summary import Summary

Array = NDArray[np.float64]

MFU_BANDS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 1.5)

GROUPINGS = ("family", "chip", "software", "mfu", "tier", "source", "publisher")
"""What summaries are grouped by in JSON."""

PLAN_FIELDS = (
    "tp",
    "pp",
    "vp",
    "ep",
    "etp",
    "cp",
    "zero",
    "micro_batch",
    "global_batch",
    "recompute",
)


@dataclass(frozen=True)
class Validation:
    """Rows, their predictions, and the band of each.

    Attributes:
        evaluated: rows, plans and predictions.
        low: tokens/s per chip, lower end of the band (rows).
        high: upper end (rows).
        error: ln(predicted / reported); not a number where nothing was reported (rows).
        pool: the constants, whose bands these are.
        steps: of the plans, by these constants (rows).
    """

    evaluated: Evaluated
    low: Array
    high: Array
    error: Array
    pool: Pool
    steps: Step

    def left_out(self, error: Array, fold: Callable[[ThroughputRow], str]) -> Validation:
        """The same rows with the errors of fits that left them out.

        A framework or a chip generation that is in no other fold was new to the fit that predicted
        its row, so the row's band is that of a new one.

        Args:
            error: ln(predicted / reported) (rows).
            fold: what was left out together with a row.
        """
        rate = self.reported * np.exp(error)
        rows = self.evaluated.rows
        low, high = _band(rows, self.pool, [fold(row) for row in rows])
        fastest = _fastest(self.evaluated, self.steps, rate, high)
        return replace(self, low=rate * low, high=fastest, error=error)

    @property
    def reported(self) -> Array:
        """Tokens/s per chip that the rows report (rows)."""
        return measured_rates(self.evaluated.rows)

    @property
    def predicted(self) -> Array:
        """Tokens/s per chip as judged; as the constants are where a row is not judged (rows)."""
        judged = self.reported * np.exp(self.error)
        return np.where(np.isfinite(judged), judged, self.evaluated.tokens_per_s)

    def summary(self, mask: NDArray[np.bool_] | None = None) -> Summary:
        """The errors of all rows, or of those in a mask."""
        chosen = np.isfinite(self.error)
        if mask is not None:
            chosen = chosen & mask
        if not chosen.any():
            return Summary(0)
        error, reported = self.error[chosen], self.reported[chosen]
        low, high = self.low[chosen], self.high[chosen]
        in_band = (reported >= low) & (reported <= high)
        publishers = labels(self.evaluated, "publisher")[chosen]
        summary = Summary.of(np.expm1(error), in_band, high / low, publishers)
        # Of an even number of errors the middle two are averaged in logarithms.
        return replace(summary, median_signed=float(np.expm1(np.median(error))))

    def by(self, name: str) -> dict[str, Summary]:
        """Summaries by kind, tier, family, chip, software, source or range of MFU."""
        words = labels(self.evaluated, name)
        return {str(word): self.summary(words == word) for word in sorted(set(words))}

    def summaries(self) -> dict[str, Summary]:
        """Summaries of all, dense and moe rows of tiers A and B, and of all rows of tier C."""
        kinds, tiers = labels(self.evaluated, "kind"), labels(self.evaluated, "tier")
        sound = tiers != "C"
        return {
            "all": self.summary(sound),
            "dense": self.summary(sound & (kinds == "dense")),
            "moe": self.summary(sound & (kinds == "moe")),
            "tier_c": self.summary(tiers == "C"),
        }

    def by_publisher(self) -> dict[str, dict[str, Summary]]:
        """Summaries by kind of model and publisher, of rows of tiers A and B."""
        kinds, publishers = labels(self.evaluated, "kind"), labels(self.evaluated, "publisher")
        sound = labels(self.evaluated, "tier") != "C"
        return {
            kind: {
                str(name): self.summary(of_kind & (publishers == name))
                for name in sorted(set(publishers[of_kind]))
            }
            for kind in KINDS
            if np.any(of_kind := sound & (kinds == kind) & np.isfinite(self.error))
        }

    def relative_errors(self) -> list[float | None]:
        """Predicted / reported - 1; None where a row is not judged (rows)."""
        return [float(np.expm1(e)) if np.isfinite(e) else None for e in self.error]

    def rows_as_json(self) -> list[dict[str, Any]]:
        """Each row: reported, predicted, error, band, plan, and what was searched or assumed."""
        # Both are made anew for all rows whenever they are asked for.
        plans, predicted = self.evaluated.plans, self.predicted
        errors = self.relative_errors()
        return [self._row_as_json(i, plans, predicted, errors) for i in range(len(predicted))]

    def _row_as_json(
        self, i: int, plans: Candidates, predicted: Array, errors: list[float | None]
    ) -> dict[str, Any]:
        evaluated, row = self.evaluated, self.evaluated.rows[i]
        return {
            "row_id": row.row_id,
            "tier": row.tier,
            "kind": row.kind,
            "source": row.source,
            "publisher": row.publisher,
            "chip": row.chip.id,
            "unit": "tokens/s per chip",
            "reported": row.measured,
            "predicted": float(predicted[i]),
            "error": errors[i],
            "low": float(self.low[i]),
            "high": float(self.high[i]),
            "coverage": 0.8,
            "origin": "modelled",
            "fits": bool(evaluated.fits[i]),
            "memory_bytes": float(evaluated.needs_bytes[i]),
            "plan": {name: np.ravel(getattr(plans.plan, name))[i].item() for name in PLAN_FIELDS},
            "searched": list(plans.searched[i]),
            "assumed": list(row.assumed),
            "not_understood": list(row.not_understood),
        }


def validate_table(table: Table, pool: Pool) -> Validation:
    """Predictions of all rows of a table beside their reported rates.

    Raises:
        MissingDataError: none of the rows can be predicted.
    """
    if not table.rows:
        first = next(iter(table.skipped.values()), "no rows")
        raise MissingDataError("expected rows that can be predicted", first, "fill those cells")
    return compare(evaluate(table.rows, pool), pool)


def compare(evaluated: Evaluated, pool: Pool) -> Validation:
    """Predictions beside what their rows report, each with its band of the pool."""
    reported = measured_rates(evaluated.rows)
    low, high = _band(evaluated.rows, pool)
    rate, plans = evaluated.tokens_per_s, evaluated.plans
    steps = step(plans.shape, plans.plan, plans.hardware, pool.resolve(plans.groups))
    fastest = _fastest(evaluated, steps, rate, high)
    return Validation(evaluated, rate * low, fastest, np.log(rate / reported), pool, steps)


def _fastest(evaluated: Evaluated, steps: Step, rate: Array, high: Array) -> Array:
    """Tokens/s per chip at the fast end of a band, where no part of a step passes its roof (rows).

    Args:
        evaluated: the rows.
        steps: their steps as predicted.
        rate: what is predicted of each row, by these or by other constants.
        high: the fast end of its band over that.
    """
    seconds = total(steps.seconds_at(evaluated.tokens_per_s / (rate * high)))
    return np.asarray(evaluated.tokens_per_s * steps.step_s / seconds, float)


def _band(
    rows: Sequence[ThroughputRow], pool: Pool, fold_names: Sequence[str] | None = None
) -> tuple[Array, Array]:
    """Ends of the band over the prediction (rows).

    Args:
        rows: to predict.
        pool: with the bands.
        fold_names: what the fit of each row had left out; None where it had seen all rows.
    """
    if fold_names is None:
        ends = [_band_of(row, pool) for row in rows]
    else:
        frameworks = _known([row.framework for row in rows], fold_names)
        architectures = _known([str(row.chip.architecture) for row in rows], fold_names)
        ends = [
            pool.band(row.kind, framework=framework, architecture=architecture)
            for row, framework, architecture in zip(rows, frameworks, architectures, strict=True)
        ]
    low, high = np.exp(np.array(ends)).T
    return low, high


def _band_of(row: ThroughputRow, pool: Pool) -> tuple[float, float]:
    """The band of a row: that of new ground where no row of its publisher was fitted."""
    architecture = str(row.chip.architecture)
    if pool.knows(row.publisher):
        return pool.band(row.kind, framework=row.framework, architecture=architecture)
    return pool.unseen_band(
        row.kind,
        framework=row.framework,
        architecture=architecture,
        chip=row.chip.id,
        tuned=row.tuned,
    )


def _known(words: list[str], fold_names: Sequence[str]) -> list[str]:
    """The word of each row, or "new to the fit" where only rows of its own fold have that word."""
    folds_of: dict[str, set[str]] = defaultdict(set)
    for word, fold in zip(words, fold_names, strict=True):
        folds_of[word].add(fold)
    return [
        word if folds_of[word] - {fold} else "new to the fit"
        for word, fold in zip(words, fold_names, strict=True)
    ]


def labels(evaluated: Evaluated, name: str) -> NDArray[np.str_]:
    """The kind, tier, family, chip, software, source or range of MFU of each row."""
    words: dict[str, Callable[[ThroughputRow], str]] = {
        "kind": lambda row: row.kind,
        "tier": lambda row: row.tier,
        "family": lambda row: row.family,
        "chip": lambda row: row.chip.id,
        "software": lambda row: row.software.name,
        "source": lambda row: row.source,
        "publisher": lambda row: row.publisher,
        "mfu": _mfu_range,
    }
    return np.array([words[name](row) for row in evaluated.rows])


def _mfu_range(row: ThroughputRow) -> str:
    if not row.measured:
        return "not reported"
    flop_per_s = row.model_flop * row.measured
    mfu = flop_per_s / row.chip.peak_flop_per_s(row.precision)
    ends = pairwise(MFU_BANDS)
    return next((f"{low:.0%} to {high:.0%}" for low, high in ends if low <= mfu < high), "above")
