"""A cell held against limits: how many plans break which of them, and the plan to name of each.

By the limits that they break, plans fall into groups: those that break none are the answer, and
where there are none the smallest groups say what is in the way. Of each group one plan is kept,
so that a search of millions leaves a few of each cell in memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.questions.sweep.cells import Array, Cell
from simulator.questions.sweep.limits import Limits


@dataclass(frozen=True, kw_only=True)
class Held:
    """A cell held against limits, with the plans that an answer may name.

    Attributes:
        cell: of every group of plans, one: the fastest of those that break nothing, and of those
            that break the same limits the one whose worst excess is least.
        broken: the group of each of them, a bit for each limit.
        worst: what each of them takes over the limit that it breaks most.
        plans: how many plans fall into each group, by its number.
        least: (limits,) the least part of each limit among plans that break none; infinite where
            there is no such plan.
    """

    cell: Cell
    broken: list[int]
    worst: list[float]
    plans: dict[int, int]
    least: Array

    @property
    def keeping(self) -> int:
        """Plans that keep to every limit."""
        return self.plans.get(0, 0)


def hold(limits: Limits, cell: Cell) -> Held:
    """Hold the plans of a cell against limits, and let go of all that no answer can name."""
    parts = limits.parts(cell)
    groups = broken_by(parts)
    worst = parts.max(axis=1)
    # In this order the first of a group is its answer: fastest, or broken least, ties by energy.
    first_by = np.where(groups == 0, cell.costs[:, 0], worst)
    order = np.lexsort((cell.costs[:, 1], cell.costs[:, 0], first_by, groups))
    numbers, first, plans = np.unique(groups[order], return_index=True, return_counts=True)
    kept = order[first]
    whole = parts[groups == 0]
    return Held(
        cell=cell.take(kept),
        broken=numbers.tolist(),
        worst=worst[kept].tolist(),
        plans=dict(zip(numbers.tolist(), plans.tolist(), strict=True)),
        least=whole.min(axis=0) if len(whole) else np.full(parts.shape[1], np.inf),
    )


def broken_by(parts: Array) -> NDArray[np.int64]:
    """Which limits each plan breaks, as a number with a bit for each column."""
    bits = 2 ** np.arange(parts.shape[1])
    found: NDArray[np.int64] = ((parts > 1) * bits).sum(axis=1)
    return found
