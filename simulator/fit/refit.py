"""The two fits of `simulator calibrate TABLE`: all constants anew, or own rows near the shipped.

The first begins at physical priors and takes its bands from folds; the second begins at the pool
that the package ships and stays near it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from energy.errors import MissingDataError
from simulator.facts.kinds import KINDS
from simulator.fit.folds import bands, left_out
from simulator.fit.from_rows import OnProgress, fit_published, of_large_frameworks, problem
from simulator.fit.gauss_newton import PooledFit, fit_pool
from simulator.fit.newcomers import calibration_rows, newcomers, publishers_left_out
from simulator.fit.own import scaled_to
from simulator.fit.pool import Pool, published_pool
from simulator.fit.stated_plans import stated_plans
from simulator.fit.throughput import evaluate
from simulator.published.throughput import ThroughputRow

FEWEST_ROWS = 5
"""Rows from which on constants are fitted; fewer scale the published ones."""

ENOUGH_ROWS = 20
"""Rows of a user's own log that are enough; fewer leave more to the published fit."""

TRUST = 0.15
"""Width of the priors around the published fit, as a share of that of the physical priors."""


def fit_anew(rows: Sequence[ThroughputRow], on_progress: OnProgress) -> Pool:
    """Fit everything from physical priors, with bands from folds and errors of newcomers."""
    whole = fit_published(rows, on_progress)
    errors = left_out(rows, whole, on_progress)
    pool = replace(
        whole.fit.pool,
        bands=bands(rows, errors),
        provenance={
            "fitted": _now(),
            "rows": len(rows),
            "sources": len({row.source for row in rows}),
            "fit_median_abs_rel_error": _median(whole.fit.residuals),
            "source_left_out_median_abs_rel_error": _median(errors["source"]),
            "model_left_out_median_abs_rel_error": _median(errors["model"]),
            "chip_left_out_median_abs_rel_error": _median(errors["chip"]),
            "not_identified": whole.fit.not_identified,
        },
    )
    return fit_newcomers(pool, rows, on_progress)


def fit_newcomers(pool: Pool, rows: Sequence[ThroughputRow], on_progress: OnProgress) -> Pool:
    """Find what to expect of publishers that no fit saw, and leave the constants as they are.

    Args:
        pool: fitted to the rows.
        rows: of all publishers.
        on_progress: called with each publisher that is left out.
    """
    unseen = publishers_left_out(rows, on_progress)
    usual, measured = unseen.take(unseen.usual()), [row for row in rows if row.measured]
    provenance = pool.provenance | {
        "newcomers_fitted": _now(),
        "publishers": sorted({row.publisher for row in rows}),
        "rows_on_chip": {
            kind: dict(Counter(row.chip.id for row in measured if row.kind == kind))
            for kind in KINDS
        },
        "publisher_left_out_median_abs_rel_error": _median(usual.errors),
    }
    table = newcomers(unseen, calibration_rows(pool)) | {"stated_plans": stated_plans(rows, pool)}
    return replace(pool, newcomers=table, provenance=provenance)


def fit_own(rows: Sequence[ThroughputRow]) -> Pool:
    """Fit a user's rows: a few scale the published constants, more move them a little.

    Raises:
        MissingDataError: there are no rows.
    """
    if not rows:
        raise MissingDataError(
            "expected at least one row with a measured rate",
            "none",
            "fill tokens_per_s_per_chip of a row",
        )
    base = published_pool()
    if len(rows) < FEWEST_ROWS:
        provenance = {"fitted": _now(), "own_rows": len(rows), "on_top_of": _origin(base)}
        return replace(scaled_to(rows, base), provenance=base.provenance | provenance)
    chosen = evaluate(rows, base).plans
    again = of_large_frameworks(rows, chosen)
    fit = fit_pool(
        problem(rows, chosen), base, iterations=15, again=again, around=base, trust=TRUST
    )
    return replace(
        fit.pool,
        bands=base.bands | _own_bands(rows, fit),
        provenance={
            "fitted": _now(),
            "rows": len(rows),
            "on_top_of": _origin(base),
            "publishers": base.provenance.get("publishers", []),
            "own_frameworks": sorted({row.framework for row in rows}),
            "fit_median_abs_rel_error": _median(fit.residuals),
            "not_identified": fit.not_identified,
        },
    )


def _own_bands(rows: Sequence[ThroughputRow], fit: PooledFit) -> dict[str, dict[str, float]]:
    """The band of each of a user's frameworks: 80 % of the fit's errors, and 3 % more."""
    spread = float(np.quantile(np.abs(fit.residuals), 0.8)) + 0.03
    return {
        f"{kind}, {name}": {"low": -spread, "high": spread, "rows": float(len(rows))}
        for kind in KINDS
        for name in {row.framework for row in rows}
    }


def _origin(base: Pool) -> str:
    return str(base.provenance.get("fitted", "published rows"))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _median(residuals: NDArray[np.float64]) -> float:
    return round(float(np.nanmedian(np.abs(np.expm1(residuals)))), 4)
