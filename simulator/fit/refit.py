"""Constants fitted again: from the published tables, or to a user's own rows on top of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from energy.errors import MissingDataError
from simulator.fit.from_rows import Watch, bands, fit_published, left_out, problem, source_folds
from simulator.fit.gauss_newton import fit_pool
from simulator.fit.pool import Pool, published
from simulator.fit.throughput import evaluate
from simulator.published.throughput import ThroughputRow

FEWEST_ROWS = 5


OWN_ROWS = 20
"""Rows of a user's own log that are enough: fewer leave more to the published fit."""


TRUST = 0.15
"""Share of a constant's prior width that is left once the published rows are known."""


def fit_anew(rows: Sequence[ThroughputRow], watch: Watch) -> Pool:
    """Fit everything from physical priors, and the bands from folds."""
    whole = fit_published(rows, watch)
    unseen = left_out(rows, whole, source_folds(rows), watch)
    seen = left_out(rows, whole, model_fold, watch)
    strange = left_out(rows, whole, chip_fold, watch)
    pool = whole.found.pool
    return replace(
        pool,
        bands=bands(rows, unseen, seen, strange),
        provenance={
            "fitted": datetime.now(UTC).isoformat(timespec="seconds"),
            "rows": len(rows),
            "sources": len({row.source for row in rows}),
            "fit_median_abs_rel_error": _median(whole.found.residuals),
            "source_left_out_median_abs_rel_error": _median(unseen),
            "model_left_out_median_abs_rel_error": _median(seen),
            "chip_left_out_median_abs_rel_error": _median(strange),
            "not_identified": whole.found.not_identified,
        },
    )


def fit_own(rows: Sequence[ThroughputRow]) -> Pool:
    """Fit a user's rows, starting from the published constants and staying near them.

    Raises:
        MissingDataError: fewer rows than say anything.
    """
    if len(rows) < FEWEST_ROWS:
        raise MissingDataError(
            f"expected {FEWEST_ROWS} rows with a measured rate, better {OWN_ROWS}",
            f"{len(rows)}",
            "log more configurations",
        )
    base = published()
    chosen = evaluate(rows, base).plans
    found = fit_pool(problem(rows, chosen), base, iterations=15, around=base, trust=TRUST)
    merged = {
        grouping: base.deviations.get(grouping, {}) | found.pool.deviations.get(grouping, {})
        for grouping in {*base.deviations, *found.pool.deviations}
    }
    spread = float(np.quantile(np.abs(found.residuals), 0.8)) + 0.03
    own = {
        f"{kind}, {name}": {"low": -spread, "high": spread, "rows": float(len(rows))}
        for kind in ("dense", "moe")
        for name in {row.framework for row in rows}
    }
    return Pool(
        base.world | found.pool.world,
        merged,
        base.bands | own,
        {
            "fitted": datetime.now(UTC).isoformat(timespec="seconds"),
            "rows": len(rows),
            "on_top_of": base.provenance.get("fitted", "published rows"),
            "fit_median_abs_rel_error": _median(found.residuals),
            "not_identified": found.not_identified,
        },
    )


def fold_errors(rows: Sequence[ThroughputRow], watch: Watch) -> dict[str, NDArray[np.float64]]:
    """Errors of rows that a fit did not see: without their source, their model, their chip."""
    measured = [i for i, row in enumerate(rows) if row.measured]
    told = [rows[i] for i in measured]
    whole = fit_published(told, watch)
    answers = {}
    for name, by in folds(told).items():
        errors = np.full(len(rows), np.nan)
        errors[measured] = left_out(told, whole, by, watch)
        answers[name] = errors
    return answers


def folds(rows: Sequence[ThroughputRow]) -> dict[str, Callable[[ThroughputRow], str]]:
    """What is left out together with a row, by the name of the way."""
    return {"source": source_folds(rows), "model": model_fold, "chip": chip_fold}


def model_fold(row: ThroughputRow) -> str:
    """A model by its family and sizes."""
    return f"{row.family} {row.shape.n_layers:g} x {row.shape.d_model:g}"


def chip_fold(row: ThroughputRow) -> str:
    """A chip by its generation."""
    return str(row.chip.architecture)


def _median(residuals: NDArray[np.float64]) -> float:
    return round(float(np.nanmedian(np.abs(np.expm1(residuals)))), 4)
