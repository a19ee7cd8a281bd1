"""Cross-validation: errors of rows that a fit did not see, and the bands that follow from them.

The errors of fitted rows say little about new ones. So a fold leaves out one source, one model or
one chip generation, the rest is fitted, and what was left out is predicted. The spread of those
errors, by kind of row, is the band of a prediction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from simulator.facts.kinds import KINDS
from simulator.fit.from_rows import (
    OnProgress,
    PublishedFit,
    fit_published,
    measured_rates,
    of_large_frameworks,
    problem,
)
from simulator.fit.gauss_newton import fit_pool
from simulator.fit.pool import Pool
from simulator.fit.throughput import evaluate
from simulator.published.throughput import ThroughputRow

Array = NDArray[np.float64]

Fold = Callable[[ThroughputRow], str]
"""From a row to the name of the rows that are left out together with it."""

MANY_MODELS = 300
"""A source of more rows than this is a sweep of layouts: it is left out model by model."""

FEW_ROWS = 6
"""Sources of fewer rows than this are left out several at a time."""

ITERATIONS = 4
"""Of the fit of a fold, which begins at the world of the whole fit."""

SWEEP_ITERATIONS = 8
"""The same where a part of a sweep is left out: all of its constants are its own, and are sought
from the world's."""

BAND = (0.1, 0.9)

NARROWEST = 0.02
"""Least distance of an end of a band from its middle."""

LEAST_IN_STRATUM = 25
"""Rows that a band needs."""

OWN_BAND = 60
"""Rows from which on a framework has a band of its own."""


def folds(rows: Sequence[ThroughputRow]) -> dict[str, Fold]:
    """The three ways of leaving rows out, by what is left out: source, model or chip generation."""
    return {
        "source": source_fold(rows),
        "model": lambda row: f"{row.family} {_sizes(row)}",
        "chip": lambda row: str(row.chip.architecture),
    }


def source_fold(rows: Sequence[ThroughputRow]) -> Fold:
    """One source at a time; a source of many models model by model, small sources together."""
    counts = Counter(row.source for row in rows)

    def fold(row: ThroughputRow) -> str:
        count = counts[row.source]
        if count > MANY_MODELS:
            return f"{row.source}: {_sizes(row)}"
        return row.source if count >= FEW_ROWS else f"small sources: {row.chip.architecture}"

    return fold


def fold_errors(rows: Sequence[ThroughputRow], on_progress: OnProgress) -> dict[str, Array]:
    """ln(predicted / measured) of each row, by what the fit that predicted it had left out."""
    measured = [i for i, row in enumerate(rows) if row.measured]
    measured_rows = [rows[i] for i in measured]
    whole = fit_published(measured_rows, on_progress)
    by_fold = {}
    for name, errors in left_out(measured_rows, whole, on_progress).items():
        by_fold[name] = np.full(len(rows), np.nan)
        by_fold[name][measured] = errors
    return by_fold


def left_out(
    rows: Sequence[ThroughputRow], whole: PublishedFit, on_progress: OnProgress
) -> dict[str, Array]:
    """ln(predicted / measured) of each measured row, by what was left out.

    Args:
        rows: all of them measured.
        whole: the fit of all, where each fit begins.
        on_progress: called with each fold.
    """
    return {what: _errors_left_out(rows, whole, what, on_progress) for what in folds(rows)}


def _errors_left_out(
    rows: Sequence[ThroughputRow], whole: PublishedFit, what: str, on_progress: OnProgress
) -> Array:
    fold = folds(rows)[what]
    names = np.array([fold(row) for row in rows])
    measured = measured_rates(rows)
    chosen, candidates = whole.evaluated.plans, whole.evaluated.candidates
    # The deviations of the whole fit have seen the rows that are left out; its world hardly has.
    start = Pool(whole.fit.pool.world)
    errors, sources = np.full(len(rows), np.nan), Counter(row.source for row in rows)
    for number, name in enumerate(distinct := sorted(set(names)), start=1):
        on_progress(f"{what} left out, {number} of {len(distinct)}: {name}")
        out = np.flatnonzero(names == name)
        kept = np.flatnonzero((names != name) & [row.tier != "C" for row in rows])
        kept_rows = [rows[i] for i in kept.tolist()]
        of_sweep = any(sources[rows[i].source] > MANY_MODELS for i in out.tolist())
        iterations = SWEEP_ITERATIONS if of_sweep else ITERATIONS
        out_rows = [rows[i] for i in out.tolist()]
        plans, theirs = chosen.take(kept), {row.framework for row in out_rows}
        again = of_large_frameworks(kept_rows, plans, theirs)
        fitted = fit_pool(problem(kept_rows, plans), start, iterations, again=again)
        predicted = evaluate(out_rows, fitted.pool, candidates.of_rows(out))
        errors[out] = np.log(predicted.tokens_per_s / measured[out])
    return errors


def bands(rows: Sequence[ThroughputRow], errors: dict[str, Array]) -> dict[str, dict[str, float]]:
    """80 % band of ln(measured / predicted) by stratum, from errors that no fit saw.

    The band of a new framework comes from errors without the row's source, that of a known one
    from errors without its model, that of a new chip from errors without its generation. A
    framework of many rows has a band of its own; in the other bands every framework counts as the
    root of its number of rows.

    Args:
        rows: all of them.
        errors: by what was left out, as `left_out` returns them.
    """
    kinds = np.array([row.kind for row in rows])
    frameworks = np.array([row.framework for row in rows])
    usable = np.array([row.tier != "C" for row in rows])
    usable &= np.isfinite(errors["model"]) & np.isfinite(errors["source"])
    counts = Counter(frameworks[usable])
    weight = np.array([max(counts[word], 1) ** -0.5 for word in frameworks])
    sources = Counter(row.source for row in rows)
    # A sweep of layouts that nobody would run says nothing about the frameworks that others run.
    usual = usable & np.array([sources[row.source] <= MANY_MODELS for row in rows])
    large = sorted(word for word, count in counts.items() if count >= OWN_BAND)
    strata = [
        ("new framework", errors["source"], usual),
        ("known framework", errors["model"], usable & ~np.isin(frameworks, large)),
        ("new chip", errors["chip"], usual),
        *((name, errors["model"], usable & (frameworks == name)) for name in large),
    ]
    return {
        f"{kind}, {name}": _band(-stratum_errors[chosen], weight[chosen])
        for kind in KINDS
        for name, stratum_errors, mask in strata
        if (chosen := mask & (kinds == kind)).sum() >= LEAST_IN_STRATUM
    }


def _sizes(row: ThroughputRow) -> str:
    return f"{row.shape.n_layers:g} x {row.shape.d_model:g}"


def _band(errors: Array, weight: Array) -> dict[str, float]:
    low, high = weighted_ends(errors, weight)
    return ends(low, high) | {"rows": float(len(errors))}


def weighted_ends(values: Array, weight: Array) -> tuple[float, float]:
    """Quantiles of 10 and 90 % of values that count by their weight."""
    order = np.argsort(values)
    share = (np.cumsum(weight[order]) - weight[order] / 2) / weight.sum()
    low, high = np.interp(BAND, share, values[order])
    return float(low), float(high)


def ends(low: float, high: float) -> dict[str, float]:
    """The ends of a band as a constants file has them, neither of them too near to the middle."""
    return {"low": round(min(low, -NARROWEST), 4), "high": round(max(high, NARROWEST), 4)}
