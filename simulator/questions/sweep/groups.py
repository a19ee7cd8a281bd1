"""The plans of a cell in groups by the limits that they break, and the plan to name of each.

Plans that break none are the answer, and where there are none the smallest groups say what is in
the way. Of each group one plan is kept, so that a search of millions leaves a few of each cell in
memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.questions.sweep.cells import Array, Cell
from simulator.questions.sweep.limits import Limits


@dataclass(frozen=True, kw_only=True)
class GroupedCell:
    """A cell whose plans are grouped by the limits that they break.

    Attributes:
        cell: one plan of every group: the fastest of those that break nothing, and of those
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

    @property
    def nearest(self) -> int:
        """Index of the plan that breaks the fewest limits, and those least."""
        counts = np.array([number.bit_count() for number in self.broken])
        return int(np.lexsort((np.array(self.worst), counts))[0])


def group_by_limits(limits: Limits, cell: Cell) -> GroupedCell:
    """Group the plans of a cell, and let go of all that no answer can name."""
    parts = limits.parts(cell)
    groups = broken_by(parts)
    worst = parts.max(axis=1)
    # In this order the first of a group is its answer: fastest, or broken least, ties by energy,
    # then by the place in the space.
    first_by = np.where(groups == 0, cell.costs[:, 0], worst)
    ties = cell.evaluation.places, cell.costs[:, 1], cell.costs[:, 0]
    order = np.lexsort((*ties, first_by, groups))
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    kept = order[starts]
    numbers = groups[kept].tolist()
    sizes = np.diff(starts, append=len(order)).tolist()
    within = parts[groups == 0]
    return GroupedCell(
        cell=cell.take(kept),
        broken=numbers,
        worst=worst[kept].tolist(),
        plans=dict(zip(numbers, sizes, strict=True)),
        least=within.min(axis=0) if len(within) else np.full(parts.shape[1], np.inf),
    )


def broken_by(parts: Array) -> NDArray[np.int64]:
    """Which limits each plan breaks, as a number with a bit for each column."""
    bits = 2 ** np.arange(parts.shape[1])
    numbers: NDArray[np.int64] = ((parts > 1) * bits).sum(axis=1)
    return numbers
