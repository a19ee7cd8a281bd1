"""Plans of a space as axes that formulas broadcast, so that few are computed for each plan alone.

A plan is a row of degrees crossed with micro-batches, ZeRO and its shards, sequence parallelism and
recomputation. Each is an axis here, the degrees last, as the longest. What depends on the degrees
alone is computed once for all plans of a row; a mask says which plans are of the space.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.physics.plan import Plan
from simulator.plans.axes import Mask, Rows
from simulator.plans.space import Space

Indices = NDArray[np.int64]

CELLS = 262_144
"""Plans of a grid: few enough for the caches, and so many that calls cost little beside them."""

APART = 32_768
"""Plans from which those with a pipeline are grids of their own: fewer cost less than the calls."""

NAMES = ("recompute", "sequence_parallel", "sharding", "micro_batch", "rows")
"""Axes of a grid. Shards depend on the ZeRO stage, so a stage and its shards are one value."""


@dataclass(frozen=True)
class Grid:
    """Some values of each axis of a space.

    Attributes:
        space: with the values.
        indices: of the values of each axis, by `NAMES`; those of sharding count pairs.
    """

    space: Space
    indices: tuple[Indices, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Values of each axis."""
        return tuple(len(index) for index in self.indices)

    @cached_property
    def rows(self) -> Rows:
        """Degrees, along the last axis."""
        return {name: value[self.indices[-1]] for name, value in self.space.rows.items()}

    @cached_property
    def at(self) -> dict[str, Indices]:
        """Indices of the values of the space's axes, each along its own axis."""
        at = {
            name: index.reshape(-1, *[1] * after)
            for name, index, after in zip(NAMES[:-1], self.indices, (4, 3, 2, 1), strict=False)
        }
        at["zero"], at["shard"] = np.divmod(at.pop("sharding"), len(self.space.axes.shard))
        return at

    @cached_property
    def plan(self) -> Plan:
        """All plans, as one plan of arrays that broadcast to `shape`."""
        return self.space.plan_of(self.rows, self.at)

    @property
    def valid(self) -> Mask:
        """Which of them are of the space."""
        every: Any = True
        for some in self.space.axes.possible(self.rows, self.at).values():
            every = every & some
        return np.broadcast_to(every, self.shape)

    def places(self, chosen: Indices) -> Indices:
        """The places in the space, as of `Space.at`, of some plans by their indices here."""
        stride, within = 1, np.zeros(1, int)
        for name, size in reversed(self.space.axes.sizes.items()):
            within = within + stride * self.at[name]
            stride *= size
        first = stride * self.indices[-1]
        others, rows = np.divmod(chosen, len(first))
        flat = np.broadcast_to(within, (*self.shape[:-1], 1)).ravel()
        return np.asarray(flat[others] + first[rows])

    def narrowed(self, kept: Mask) -> tuple[Grid, Mask]:
        """The grid without values that nothing kept has, and the mask on what is left of it."""
        indices, axes = list(self.indices), range(kept.ndim - 1)
        some = kept.any(axis=tuple(axes))
        if not some.all():
            indices[-1], kept = indices[-1][some], kept.compress(some, -1)
        any_row: Mask = np.asarray(kept.any(axis=-1))
        for axis in axes:
            some = any_row.any(axis=tuple(other for other in axes if other != axis))
            if not some.all():
                indices[axis], kept = indices[axis][some], kept.compress(some, axis)
        return Grid(self.space, tuple(indices)), kept


def grids(space: Space) -> Iterator[tuple[Grid, Mask]]:
    """All plans of a space, in grids of about `CELLS` of them, with a mask of those that are.

    Rows with the same choices stand together, where they are enough for grids of their own: first
    those without a pipeline, then those without tensor parallelism, then by the ranks, which decide
    on micro-batches and shards.
    """
    axes, count = space.axes.sizes, len(space.rows["tp"])
    sizes = axes | {"sharding": axes["zero"] * axes["shard"], "rows": count}
    every = tuple(np.arange(sizes[name]) for name in NAMES)
    whole = Grid(space, every)
    plans = np.full(count, axes["recompute"])
    for some in space.axes.possible(whole.rows, whole.at).values():
        plans = plans * some.reshape(-1, count).sum(0)
    parts = np.zeros(count, int)
    if plans.sum() > APART:
        parts += 2 * (space.rows["pp"] > 1)
    if plans.sum() > 4 * APART:
        parts += space.rows["tp"] > 1
    order = np.lexsort((space.rows["ranks"], parts))
    ends = np.cumsum(plans[order])
    cuts = np.flatnonzero(np.diff(ends // CELLS) | np.diff(parts[order])) + 1
    for rows in np.split(order, cuts):
        block = Grid(space, (*every[:-1], rows))
        yield block.narrowed(block.valid)
