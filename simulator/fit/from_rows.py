"""Throughput rows as a problem of `gauss_newton`: constants, weights, and the plan of each row.

Plans and constants depend on each other, so they take turns: each row takes the plan that is
fastest with the constants so far, then the constants are fitted again with these plans.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.fit.gauss_newton import PooledFit, Problem, fit_pool
from simulator.fit.pool import Pool
from simulator.fit.throughput import Evaluated, evaluate, throughput
from simulator.physics.constants import Constants
from simulator.published.candidates import Candidates, candidates
from simulator.published.throughput import ThroughputRow

Array = NDArray[np.float64]

OnProgress = Callable[[str], None]
"""Called with a line on what is being done."""

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
"""Times that blank fields are searched again, each time with the constants fitted so far."""

FRAMEWORK_WEIGHT = 4.0
"""Rows of one framework count as this many times the root of their number: they share errors."""

MOST_ROWS = 25
"""Rows of a framework of which more count no more for the constants of everyone: only the error
that they share is left.

Dense publishers that are left out err by 9.9 % without it, 8.7 % with 100, 8.0 % with 50 and 7.0 %
with 25 (before slowdowns and without a second search)."""


@dataclass(frozen=True)
class PublishedFit:
    """A fit to published rows, and the rows as it predicts them."""

    fit: PooledFit
    evaluated: Evaluated


def fit_published(
    rows: Sequence[ThroughputRow],
    on_progress: OnProgress = lambda _: None,
    plans: Candidates | None = None,
) -> PublishedFit:
    """Fit the pooled constants to all rows; doubtful ones (tier C) have no weight.

    Args:
        rows: all of them measured.
        on_progress: called with each round.
        plans: the candidates of the rows, if they are at hand.
    """
    if plans is None:
        plans = candidates(rows, Constants())
    fit = None
    pool = Pool()
    for number in range(ROUNDS):
        on_progress(f"fit, round {number + 1} of {ROUNDS}")
        chosen = evaluate(rows, pool, plans).plans
        again = of_large_frameworks(rows, chosen)
        fit = fit_pool(problem(rows, chosen), pool, iterations=12, again=again)
        pool = fit.pool
    assert fit is not None
    return PublishedFit(fit, evaluate(rows, pool, plans))


def measured_rates(rows: Sequence[ThroughputRow]) -> Array:
    """Tokens/s per chip that rows report; not a number where one reports none (rows)."""
    return np.array([row.measured or np.nan for row in rows], float)


def problem(rows: Sequence[ThroughputRow], plans: Candidates, most: float = MOST_ROWS) -> Problem:
    """What is fitted: rows and the plan that was chosen for each.

    Doubtful rows (tier C) have no weight, and still count among the rows of their framework.

    Args:
        rows: all of them measured.
        plans: one of each.
        most: rows of a framework of which more count no more.
    """
    counts = Counter(row.framework for row in rows)
    number = np.array([counts[row.framework] for row in rows])
    sound = np.array([row.tier != "C" for row in rows])
    discount = np.sqrt(np.minimum(most / number, 1))
    return Problem(
        names=FITTED,
        groups=plans.groups,
        predict=lambda constants: throughput(plans, constants),
        measured=measured_rates(rows),
        weight=np.where(sound, FRAMEWORK_WEIGHT / np.sqrt(number) * discount, 0.0),
    )


def of_large_frameworks(
    rows: Sequence[ThroughputRow], plans: Candidates, names: Collection[str] | None = None
) -> list[Problem]:
    """The frameworks whose rows say more of them than counts in `problem`, each by itself.

    Args:
        rows: all of them measured.
        plans: one of each.
        names: of the frameworks that matter; all if None.
    """
    framework = np.array([row.framework for row in rows])
    problems = []
    for name, count in Counter(framework.tolist()).items():
        if count > MOST_ROWS and (names is None or name in names):
            places = np.flatnonzero(framework == name)
            own = [rows[place] for place in places.tolist()]
            problems.append(problem(own, plans.take(places), most=np.inf))
    return problems
