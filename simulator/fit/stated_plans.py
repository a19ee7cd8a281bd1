"""How far plans that ran are from the fastest, from rows that state theirs.

Where nobody says what a run's plan was, the fastest of all that fit is too fast: whoever trains has
tried some plans, and not by this simulator. The standing of a plan is the share of all plans that
fit on its chips which are not faster. It compares predictions; no measured hours are in it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from simulator.fit.folds import MANY_MODELS
from simulator.fit.pool import Pool
from simulator.fit.throughput import evaluate, throughput
from simulator.physics.constants import Constants
from simulator.physics.memory import memory
from simulator.published.candidates import UNSEARCHED, candidates
from simulator.published.throughput import ThroughputRow

CHOSEN = (
    *("tp", "pp", "vp", "ep", "etp", "cp", "zero", "shard", "schedule"),
    *("micro_batch", "recompute", "recompute_share"),
)
"""Fields of a plan that whoever trains has chosen, and that a search tries."""

FEWEST_PLANS = 5
"""Plans that fit, from which on one of them has a standing."""


def stated_plans(rows: Sequence[ThroughputRow], pool: Pool) -> dict[str, Any]:
    """The standing of stated plans, each publisher counted once, and their rate over the fastest.

    A row that leaves recomputation or the ZeRO stage open takes the fastest of them, as everywhere,
    so the standing is rather high than low.

    Args:
        rows: published ones; of one model on the same chips the fastest one states the plan.
        pool: constants that predict the rates.
    """
    stated = _with_plans(rows)
    if not stated:
        return {"standing": 1.0, "of_fastest": 1.0, "rows": 0, "publishers": 0}
    rates = evaluate(stated, pool).tokens_per_s
    standings: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row, rate in zip(stated, rates, strict=True):
        fields = {name: value for name, value in row.fields.items() if name not in CHOSEN}
        plans = candidates([replace(row, fields=fields)], Constants())
        others = throughput(plans, pool.resolve(plans.groups))
        fits = np.broadcast_to(memory(plans.shape, plans.plan, plans.hardware).fits, others.shape)
        if np.sum(fits) >= FEWEST_PLANS:
            fitting = others[fits]
            slower = float(np.mean(fitting < rate) + np.mean(fitting <= rate)) / 2
            standings[row.publisher].append((slower, float(rate / fitting.max())))
    medians = [np.median(each, axis=0) for each in standings.values()]
    standing, of_fastest = np.median(medians, axis=0) if medians else (1.0, 1.0)
    return {
        "standing": round(float(standing), 4),
        "of_fastest": round(min(float(of_fastest), 1.0), 4),
        "rows": sum(len(each) for each in standings.values()),
        "publishers": len(standings),
    }


def _with_plans(rows: Sequence[ThroughputRow]) -> list[ThroughputRow]:
    """The fastest measured row of each model, chip and number of chips that tells its plan."""
    counts = Counter(row.source for row in rows)
    fastest: dict[tuple[Any, ...], ThroughputRow] = {}
    for row in rows:
        tells = row.measured and "tp" in row.fields and "micro_batch" in row.fields
        sound = row.tier != "C" and counts[row.source] <= MANY_MODELS
        if not tells or not sound or row.tuned in UNSEARCHED:
            continue
        sizes = (float(row.shape.n_layers), float(row.shape.d_model), float(row.shape.seq_len))
        key = (row.publisher, row.chip.id, row.n_chips, row.precision, *sizes)
        before = fastest.get(key)
        if before is None or (row.measured or 0) > (before.measured or 0):
            fastest[key] = row
    return list(fastest.values())
