"""Predicted throughput of rows, each by a candidate plan that fits: the fastest, or one near it.

The candidates are the plans that a row may have run (`simulator.published.candidates`). Where none
fits, the one that needs least is taken. No measured rate is read here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from energy.shape import Number
from simulator.fit.pool import Pool
from simulator.physics.constants import Constants
from simulator.physics.memory import memory
from simulator.physics.step import step
from simulator.published.candidates import Candidates, candidates
from simulator.published.throughput import ThroughputRow

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Evaluated:
    """All rows with the plan that was chosen for each.

    Attributes:
        rows: as they were read.
        candidates: all plans of all rows.
        chosen: index into `candidates` of the plan of each row.
        tokens_per_s: predicted, per chip (rows).
        needs_bytes: memory that the chosen plan needs on its fullest chip (rows).
        between_bytes: the part of it that stays allocated between steps (rows).
        fits: whether it is within the chip's memory (rows).
    """

    rows: tuple[ThroughputRow, ...]
    candidates: Candidates
    chosen: NDArray[np.int64]
    tokens_per_s: Array
    needs_bytes: Array
    between_bytes: Array
    fits: NDArray[np.bool_]

    @property
    def plans(self) -> Candidates:
        """The chosen plans, one per row."""
        return self.candidates.take(self.chosen)


def throughput(plans: Candidates, constants: Constants) -> Array:
    """Tokens per second and chip of every plan: global batch * S / (step time * chips)."""
    step_s = step(plans.shape, plans.plan, plans.hardware, constants).step_s
    tokens: Number = np.asarray(plans.plan.global_batch) * plans.shape.seq_len
    return np.asarray(tokens / (np.asarray(step_s) * plans.plan.n_chips), float)


def evaluate(
    rows: Sequence[ThroughputRow],
    pool: Pool,
    plans: Candidates | None = None,
    *,
    standing: float = 1.0,
) -> Evaluated:
    """Predict the throughput of rows.

    Args:
        rows: to predict.
        pool: constants.
        plans: the candidates of the rows, if they are at hand.
        standing: share of a row's plans that fit which the chosen one is not slower than; 1 is the
            fastest.
    """
    if plans is None:
        plans = candidates(rows, Constants())
    needed = memory(plans.shape, plans.plan, plans.hardware)
    rate = throughput(plans, pool.resolve(plans.groups))
    size = np.broadcast_to(np.asarray(needed.total_bytes, float), rate.shape)
    # A plan that does not fit ranks below all that fit, by how little it is over.
    rank = np.where(needed.fits, rate, -size / np.asarray(plans.hardware.memory_bytes))
    order = np.lexsort((-rank, plans.row))
    first = np.unique(plans.row[order], return_index=True)[1]
    fitting = np.bincount(plans.row, np.broadcast_to(needed.fits, rate.shape), len(first))
    faster = np.round((1 - standing) * np.maximum(fitting - 1, 0)).astype(np.int64)
    chosen = order[first + faster]
    between = np.broadcast_to(np.asarray(needed.between_steps_bytes, float), rate.shape)
    return Evaluated(
        rows=tuple(rows),
        candidates=plans,
        chosen=chosen,
        tokens_per_s=rate[chosen],
        needs_bytes=size[chosen],
        between_bytes=between[chosen],
        fits=needed.fits[chosen],
    )
