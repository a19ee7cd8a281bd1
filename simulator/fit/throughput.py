"""Predicted throughput of published rows, from their configuration alone.

Of the plans that a row may have run (`simulator.published.candidates`) the fastest that fits in
memory is predicted; where none fits, the one that comes nearest. No measured figure is read here.
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
    """All rows with the plan that was taken for each.

    Attributes:
        rows: as they were read.
        every: all plans of all rows.
        chosen: index into `every` of the plan of each row.
        tokens_per_s: predicted, a chip (rows).
        needs_bytes: memory that the chosen plan needs on its fullest chip (rows).
        between_bytes: what of it stays allocated between steps (rows).
        fits: whether that is within the chip's memory (rows).
    """

    rows: tuple[ThroughputRow, ...]
    every: Candidates
    chosen: NDArray[np.int64]
    tokens_per_s: Array
    needs_bytes: Array
    between_bytes: Array
    fits: NDArray[np.bool_]

    @property
    def plans(self) -> Candidates:
        """The chosen plans alone, one a row."""
        return self.every.take(self.chosen)


def throughput(found: Candidates, constants: Constants) -> Array:
    """Tokens a second and chip of every plan: global batch * S / (step time * chips)."""
    seconds = step(found.shape, found.plan, found.hardware, constants).step_s
    tokens: Number = np.asarray(found.plan.global_batch) * found.shape.seq_len
    return np.asarray(tokens / (np.asarray(seconds) * found.plan.n_chips), float)


def evaluate(
    rows: Sequence[ThroughputRow], pool: Pool, every: Candidates | None = None
) -> Evaluated:
    """Predict rows.

    Args:
        rows: to predict.
        pool: constants.
        every: their plans, where they were made before.
    """
    plans = candidates(rows, Constants()) if every is None else every
    needed = memory(plans.shape, plans.plan, plans.hardware)
    rate = throughput(plans, pool.resolve(plans.groups))
    size = np.broadcast_to(np.asarray(needed.total_bytes, float), rate.shape)
    # A plan that does not fit ranks below every one that does, by how little it is over.
    rank = np.where(needed.fits, rate, -size / np.asarray(plans.hardware.memory_bytes))
    order = np.lexsort((-rank, plans.row))
    chosen = order[np.unique(plans.row[order], return_index=True)[1]]
    between = np.broadcast_to(np.asarray(needed.between_steps_bytes, float), rate.shape)
    return Evaluated(
        tuple(rows), plans, chosen, rate[chosen], size[chosen], between[chosen], needed.fits[chosen]
    )
