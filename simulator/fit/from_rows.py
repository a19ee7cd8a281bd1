"""The fit of pooled constants to tables of published rows, and how well they predict what is new.

Fitted rows say little of that: a fold leaves one source out (of a source with many models, one
model), fits the rest, and predicts what was left out. The spread of those errors, by kind of row,
is the band of a prediction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simulator.fit.gauss_newton import PooledFit, Problem, fit_pool
from simulator.fit.pool import Pool
from simulator.fit.throughput import Evaluated, evaluate, throughput
from simulator.physics.constants import Constants
from simulator.published.candidates import Candidates, candidates
from simulator.published.throughput import ThroughputRow

Array = NDArray[np.float64]


Watch = Callable[[str], None]


FITTED = (
    "eff_max",
    "m_half",
    "n_half",
    "k_half",
    "grouped_efficiency",
    "group_s",
    "batched_efficiency",
    "attention_efficiency",
    "memory_efficiency",
    "loss_efficiency",
    "adamw_efficiency",
    "fusion",
    "narrow_efficiency",
    "launch_s",
    "host_s",
    "link_efficiency",
    "network_efficiency",
    "link_latency_s",
    "network_latency_s",
    "overlap_tp",
    "overlap_ep",
    "overlap_dp",
    "contention",
    "software",
    "step_s",
)


ROUNDS = 3
"""Times that blank fields are searched again with the constants found so far."""


FRAMEWORK_WEIGHT = 4.0
"""Rows of one framework count as this many times the root of their number: errors are shared."""


MANY_MODELS = 300
"""A source of more rows is left out model by model."""


FEW_ROWS = 6
"""Sources of fewer rows are left out some at a time."""


BAND = (0.1, 0.9)


LEAST_IN_STRATUM = 25


OWN_BAND = 60
"""Rows of a framework that has a band of its own."""


@dataclass(frozen=True)
class PublishedFit:
    """Constants fitted to rows, and the rows as they predict them."""

    found: PooledFit
    evaluated: Evaluated


def fit_published(rows: Sequence[ThroughputRow], watch: Watch = lambda _: None) -> PublishedFit:
    """Fit the pooled constants to all rows but doubtful ones (tier C), which count for nothing."""
    every, pool = candidates(rows, Constants()), Pool()
    found = None
    for number in range(ROUNDS):
        watch(f"fit, round {number + 1} of {ROUNDS}")
        chosen = evaluate(rows, pool, every).plans
        found = fit_pool(problem(rows, chosen), pool, iterations=12)
        pool = found.pool
    assert found is not None
    return PublishedFit(found, evaluate(rows, pool, every))


def problem(rows: Sequence[ThroughputRow], plans: Candidates) -> Problem:
    """Rows and their chosen plans as what is fitted."""
    counted = Counter(row.framework for row in rows)
    weight = [
        0.0 if row.tier == "C" else FRAMEWORK_WEIGHT / np.sqrt(counted[row.framework])
        for row in rows
    ]
    return Problem(
        names=FITTED,
        groups=plans.groups,
        predict=lambda constants: throughput(plans, constants),
        measured=np.array([float(row.measured or np.nan) for row in rows]),
        weight=np.array(weight),
    )


def left_out(
    rows: Sequence[ThroughputRow],
    whole: PublishedFit,
    by: Callable[[ThroughputRow], str],
    watch: Watch = lambda _: None,
) -> Array:
    """ln(predicted / measured) of each row by the constants that its fold never saw.

    Args:
        rows: all of them.
        whole: the fit of all, where each fold begins.
        by: the fold of a row.
        watch: told of each fold.
    """
    names = np.array([by(row) for row in rows])
    measured = np.array([float(row.measured or np.nan) for row in rows])
    plans, every = whole.evaluated.plans, whole.evaluated.every
    error = np.full(len(rows), np.nan)
    for number, name in enumerate(folds := sorted(set(names)), start=1):
        watch(f"fold {number} of {len(folds)}")
        out = np.flatnonzero(names == name)
        kept = np.flatnonzero((names != name) & [row.tier != "C" for row in rows])
        part = problem([rows[i] for i in kept.tolist()], plans.take(kept))
        found = fit_pool(part, _forgetting(whole.found.pool), iterations=4)
        tested = [rows[i] for i in out.tolist()]
        here = np.flatnonzero(np.isin(every.row, out))
        mine = every.take(here)
        renumbered = replace(mine, row=np.searchsorted(out, mine.row))
        error[out] = np.log(evaluate(tested, found.pool, renumbered).tokens_per_s / measured[out])
    return error


def _forgetting(pool: Pool) -> Pool:
    """The world of a fit without its deviations, which the rows that are left out took part in."""
    return Pool(pool.world)


def source_folds(rows: Sequence[ThroughputRow]) -> Callable[[ThroughputRow], str]:
    """Leave one source out; a source of many models model by model, small ones some at a time."""
    counted = Counter(row.source for row in rows)

    def fold(row: ThroughputRow) -> str:
        count = counted[row.source]
        if count > MANY_MODELS:
            return f"{row.source}: {row.shape.n_layers:g} x {row.shape.d_model:g}"
        return row.source if count >= FEW_ROWS else f"small sources: {row.chip.architecture}"

    return fold


def bands(
    rows: Sequence[ThroughputRow], unseen: Array, seen: Array, strange: Array
) -> dict[str, dict[str, float]]:
    """80 % band of ln(measured / predicted) by stratum, from errors that no fold saw.

    A new framework's rows are held against the fit without their source, a known one's against
    the fit without their model, a new chip's against the fit without its generation. A framework
    of many rows has a band of its own; in the others all frameworks count, each as the root of its
    number of rows.

    Args:
        rows: all of them.
        unseen: errors with the source left out.
        seen: errors with the model left out.
        strange: errors with the chip generation left out.
    """
    found = {}
    kinds, frameworks = (
        np.array([getattr(row, name) for row in rows]) for name in ("kind", "framework")
    )
    usable = np.array([row.tier != "C" for row in rows]) & np.isfinite(seen) & np.isfinite(unseen)
    counted = Counter(frameworks[usable])
    weight = np.array([max(counted[word], 1) ** -0.5 for word in frameworks])
    sources = Counter(row.source for row in rows)
    # A sweep of layouts that nobody would run says nothing of the frameworks that others run.
    swept = np.array([sources[row.source] > MANY_MODELS for row in rows])
    large = {word for word, count in counted.items() if count >= OWN_BAND}
    others = usable & ~np.isin(frameworks, sorted(large))
    for kind in ("dense", "moe"):
        for word, errors, mask in (
            ("new framework", unseen, usable & ~swept),
            ("known framework", seen, others),
            ("new chip", strange, usable & ~swept),
        ):
            mine = mask & (kinds == kind)
            if mine.sum() >= LEAST_IN_STRATUM:
                found[f"{kind}, {word}"] = _band(-errors[mine], weight[mine])
        for name in large:
            mine = usable & (kinds == kind) & (frameworks == name)
            if mine.sum() >= LEAST_IN_STRATUM:
                found[f"{kind}, {name}"] = _band(-seen[mine], weight[mine])
    return found


def _band(e: Array, weight: Array) -> dict[str, float]:
    order = np.argsort(e)
    share = (np.cumsum(weight[order]) - weight[order] / 2) / weight.sum()
    low, high = np.interp(BAND, share, e[order])
    return {
        "low": round(float(min(low, -0.02)), 4),
        "high": round(float(max(high, 0.02)), 4),
        "rows": float(len(e)),
    }
