"""Predicted against reported throughput: row by row, and what the errors are.

Errors are signed ln(predicted / reported); what is summarised is the absolute relative error
|predicted / reported - 1|. `band_coverage` is the share of rows whose figure lies in the 80 % band.
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
from energy.flops import model_flop
from energy.shape import total
from simulator.fit.pool import Pool
from simulator.fit.throughput import Evaluated, evaluate
from simulator.published.throughput import Table, ThroughputRow

Array = NDArray[np.float64]


MFU_BANDS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 1.5)


@dataclass(frozen=True)
class Summary:
    """Errors of some rows."""

    n: int
    median_abs_rel_error: float | None
    mean_abs_rel_error: float | None
    p90_abs_rel_error: float | None
    median_signed: float | None
    band_coverage: float | None

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        return dict(vars(self))


@dataclass(frozen=True)
class Validation:
    """Rows, what was predicted for them, and the band of each.

    Attributes:
        evaluated: rows, plans and predictions.
        low: tokens/s a chip, lower end of the band (rows).
        high: upper end (rows).
        error: ln(predicted / reported); not a number where nothing was reported (rows).
        pool: constants, whose bands these are.
    """

    evaluated: Evaluated
    low: Array
    high: Array
    error: Array
    pool: Pool

    def unseen(self, error: Array, fold: Callable[[ThroughputRow], str]) -> Validation:
        """The same rows with the errors of fits that left them out.

        A framework or a chip generation that stands in no other fold was new to the fit that
        predicted its row, and the row's band is that of a new one.

        Args:
            error: ln(predicted / reported) (rows).
            fold: what was left out together with a row.
        """
        rate = self.reported * np.exp(error)
        rows = self.evaluated.rows
        low, high = _band(rows, self.pool, [fold(row) for row in rows])
        return replace(self, low=rate * low, high=rate * high, error=error)

    @property
    def reported(self) -> Array:
        """Tokens/s a chip that the rows report (rows)."""
        return np.array([row.measured or np.nan for row in self.evaluated.rows], float)

    def summary(self, mask: NDArray[np.bool_] | None = None) -> Summary:
        """The errors of all rows, or of some."""
        with_figure = np.isfinite(self.error)
        picked = with_figure if mask is None else with_figure & mask
        if not picked.any():
            return Summary(0, None, None, None, None, None)
        error = self.error[picked]
        absolute = np.abs(np.expm1(error))
        reported = self.reported[picked]
        inside = (reported >= self.low[picked]) & (reported <= self.high[picked])
        return Summary(
            int(picked.sum()),
            float(np.median(absolute)),
            float(absolute.mean()),
            float(np.quantile(absolute, 0.9)),
            float(np.expm1(np.median(error))),
            float(inside.mean()),
        )

    def by(self, name: str) -> dict[str, Summary]:
        """Summaries by kind, tier, family, chip, software, source or band of MFU."""
        words = labels(self.evaluated, name)
        return {str(word): self.summary(words == word) for word in sorted(set(words))}

    def summaries(self) -> dict[str, Summary]:
        """All, dense and moe: rows of tiers A and B, then those of tier C apart."""
        kinds, tiers = labels(self.evaluated, "kind"), labels(self.evaluated, "tier")
        told = tiers != "C"
        found = {
            "all": self.summary(told),
            "dense": self.summary(told & (kinds == "dense")),
            "moe": self.summary(told & (kinds == "moe")),
        }
        return found | {"tier_c": self.summary(tiers == "C")}

    def rows_json(self) -> list[dict[str, Any]]:
        """Each row: reported, predicted, error, band, plan, and what was searched or assumed."""
        made, plans = self.evaluated, self.evaluated.plans
        found = []
        for i, row in enumerate(made.rows):
            reported = row.measured
            found.append(
                {
                    "row_id": row.row_id,
                    "tier": row.tier,
                    "kind": row.kind,
                    "source": row.source,
                    "chip": row.chip.id,
                    "unit": "tokens/s a chip",
                    "reported": reported,
                    "predicted": float(made.tokens_per_s[i]),
                    "error": float(np.expm1(self.error[i])) if reported else None,
                    "low": float(self.low[i]),
                    "high": float(self.high[i]),
                    "coverage": 0.8,
                    "origin": "modelled",
                    "fits": bool(made.fits[i]),
                    "memory_bytes": float(made.needs_bytes[i]),
                    "plan": {
                        name: _plain(np.ravel(getattr(plans.plan, name))[i])
                        for name in (
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
                    },
                    "searched": list(plans.searched[i]),
                    "assumed": list(row.assumed),
                }
            )
        return found


def validation(made: Evaluated, pool: Pool) -> Validation:
    """Hold predictions against what their rows report, each with its band of the pool's."""
    reported = np.array([row.measured or np.nan for row in made.rows], float)
    low, high = _band(made.rows, pool)
    rate = made.tokens_per_s
    return Validation(made, rate * low, rate * high, np.log(rate / reported), pool)


def _band(
    rows: Sequence[ThroughputRow], pool: Pool, left: Sequence[str] | None = None
) -> tuple[Array, Array]:
    """Ends of the band over the prediction (rows).

    Args:
        rows: to predict.
        pool: whose bands.
        left: what the fit of each row had left out; without it, it had seen all.
    """
    frameworks = _known([row.framework for row in rows], left)
    architectures = _known([str(row.chip.architecture) for row in rows], left)
    ends = [
        pool.band(row.kind, framework=framework, architecture=architecture)
        for row, framework, architecture in zip(rows, frameworks, architectures, strict=True)
    ]
    low, high = np.exp(np.array(ends)).T
    return low, high


def _known(words: list[str], left: Sequence[str] | None) -> list[str]:
    """Each word, or that it is new where no row outside of what was left out has it."""
    if left is None:
        return words
    folds: dict[str, set[str]] = defaultdict(set)
    for word, fold in zip(words, left, strict=True):
        folds[word].add(fold)
    return [
        word if folds[word] - {fold} else "new to the fit"
        for word, fold in zip(words, left, strict=True)
    ]


def labels(made: Evaluated, name: str) -> NDArray[np.str_]:
    """A word for each row by kind, tier, family, chip, software, source or band of MFU."""
    if name == "mfu":
        return np.array([_mfu_band(row) for row in made.rows])
    words: dict[str, Callable[[ThroughputRow], str]] = {
        "kind": lambda row: row.kind,
        "tier": lambda row: row.tier,
        "family": lambda row: row.family,
        "chip": lambda row: row.chip.id,
        "software": lambda row: row.software.name,
        "source": lambda row: row.source,
    }
    return np.array([words[name](row) for row in made.rows])


def _mfu_band(row: ThroughputRow) -> str:
    if not row.measured:
        return "not reported"
    work = float(total(model_flop(row.shape))) * row.measured
    mfu = work / row.chip.peak_flop_per_s(row.precision)
    ends = pairwise(MFU_BANDS)
    return next((f"{low:.0%} to {high:.0%}" for low, high in ends if low <= mfu < high), "above")


def fits_in_memory(rows: Sequence[ThroughputRow], made: Evaluated) -> dict[str, float]:
    """How well the memory model says whether a run fitted, and how much it allocated.

    Balanced accuracy: the mean of the shares that were told right among runs that fitted and
    among those that ran out of memory.
    """
    ran = np.array([row.fitted for row in rows])
    said = made.fits
    right = [
        float((said[ran]).mean()) if ran.any() else np.nan,
        float((~said[~ran]).mean()) if (~ran).any() else np.nan,
    ]
    with_bytes = np.array([bool(row.memory_bytes) for row in rows])
    ratio = np.array(
        [
            made.between_bytes[i] / float(rows[i].memory_bytes or np.nan)
            for i in np.flatnonzero(with_bytes).tolist()
        ]
    )
    found = {
        "n": float(len(rows)),
        "ran_right": right[0],
        "out_of_memory_right": right[1],
        "balanced_accuracy": float(np.nanmean(right)),
    }
    if len(ratio):
        found["memory_median_abs_rel_error"] = float(np.median(np.abs(ratio - 1)))
    return found


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def held(rows: Table, pool: Pool) -> Validation:
    """Predictions of all rows of a table beside their figures.

    Raises:
        MissingDataError: none of them can be predicted.
    """
    if not rows.rows:
        first = next(iter(rows.skipped.values()), "no rows")
        raise MissingDataError("expected rows that can be predicted", first, "fill those cells")
    return validation(evaluate(rows.rows, pool), pool)
