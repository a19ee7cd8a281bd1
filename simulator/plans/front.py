"""Which of many choices nothing else beats: the Pareto front, and why each is on it.

All objectives are to be small. A choice is dominated when another is no worse in every one of them
and better in at least one; the front is what is left (Pareto 1906; Kung, Luccio and Preparata,
JACM 22(4), 1975).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from energy.units import change

Array = NDArray[np.float64]


NEAR = 0.05
"""Relative distance, of the greater, below which choices are shown as a single one: it is far below
the band of any of them."""


def non_dominated(costs: Array) -> NDArray[np.bool_]:
    """Whether each choice is on the front; equal ones are all on it or all not.

    (1, 3), (2, 2), (3, 3), (3, 1): all but the third.

    Args:
        costs: rows are choices, columns objectives to be small; finite.
    """
    costs = np.asarray(costs, dtype=float)
    kept = np.zeros(len(costs), dtype=bool)
    # In this order a choice can only be dominated by one that comes before it or is its equal.
    order = np.lexsort(costs.T[::-1])
    front = np.empty((0, costs.shape[1]))
    for index in order:
        row = costs[index]
        no_worse = np.all(front <= row, axis=1)
        if not np.any(no_worse & np.any(front < row, axis=1)):
            kept[index] = True
            front = np.vstack([front, row])
    return kept


def staircase(costs: Array, order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indices of the front of two objectives, each point once, the least in the first one first.

    Sorting and a running minimum: millions of choices in a second.

    Args:
        costs: rows are choices, two columns; a row that is not finite is no choice.
        order: of equal choices the least is taken.
    """
    known = np.flatnonzero(np.all(np.isfinite(costs), axis=1))
    known = known[np.lexsort((order[known], costs[known, 1], costs[known, 0]))]
    second = costs[known, 1]
    before = np.concatenate([[np.inf], np.minimum.accumulate(second)[:-1]])
    indices: NDArray[np.int64] = known[second < before]
    return indices


def apart(costs: Array, near: float = NEAR) -> list[list[int]]:
    """The front in groups: each is shown by its first, the others lie near it in every objective.

    The best of each objective is always shown, then the rest in order of the first objective.

    Args:
        costs: rows on the front, columns objectives, above 0.
        near: relative distance, of the greater.
    """
    best = dict.fromkeys(int(np.argmin(column)) for column in np.asarray(costs).T)
    groups = {index: [index] for index in best}
    for index in np.argsort(costs[:, 0], kind="stable").tolist():
        if index in groups:
            continue
        for first in groups:
            widest = np.maximum(costs[first], costs[index])
            if np.all(np.abs(costs[first] - costs[index]) <= near * widest):
                groups[first].append(index)
                break
        else:
            groups[index] = [index]
    return sorted(groups.values(), key=lambda group: float(costs[group[0], 0]))


def reasons(costs: Array, names: Sequence[str]) -> list[str]:
    """Why each choice is on the front, in words: what it is least in, or what it trades.

    A trade-off is compared with the next faster one: what it gives for the time that it takes.

    Args:
        costs: rows on the front, in order of the first objective.
        names: of the objectives.
    """
    least = np.min(costs, axis=0)
    words_of_each = []
    for place, row in enumerate(costs):
        best = [name for name, value, end in zip(names, row, least, strict=True) if value <= end]
        if best:
            words_of_each.append(f"least {', '.join(best)}")
            continue
        # The least in the first objective comes first, so there is one before this.
        changes = row / costs[place - 1] - 1
        words = [
            f"{change(value)} {name}"
            for name, value in zip(names, changes, strict=True)
            if abs(value) >= 0.005
        ]
        words_of_each.append(f"trade-off: {', '.join(words)} against the row above")
    return words_of_each
