"""Plans of a grid that fit in memory, and which of them a search keeps.

A search of millions that names a few lets go of the others block by block: of each row of degrees,
and of each value of the other axes, only the best can be named, and those near the best of all are
counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from energy.shape import Shape
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.pace import Pace, pace
from simulator.physics.power import chip_watts
from simulator.plans.axes import Mask
from simulator.plans.grid import Grid

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Block:
    """Plans of a grid, some of which fit in memory; timed only on request.

    Attributes:
        grid: the plans.
        fits: those that fit.
        shape: of the model.
        hardware: of one chip.
        constants: of the machine.
    """

    grid: Grid
    fits: Mask
    shape: Shape
    hardware: Hardware
    constants: Constants

    @cached_property
    def pace(self) -> Pace:
        """A step of each plan, in arrays that broadcast to `fits`."""
        return pace(self.shape, self.grid.plan, self.hardware, self.constants)

    @property
    def step_s(self) -> Array:
        """Seconds of a step."""
        return np.broadcast_to(np.asarray(self.pace.step_s), self.fits.shape)

    @cached_property
    def chip_w(self) -> Array:
        """Mean watts of a chip."""
        watts = chip_watts(self.pace, self.hardware, self.constants)
        return np.broadcast_to(np.asarray(watts), self.fits.shape)

    @property
    def tokens_per_s(self) -> Array:
        """Tokens a second of all chips."""
        tokens = self.grid.rows["global_batch"] * float(self.shape.seq_len)
        return np.asarray(tokens / self.step_s)


Keep = Callable[[Block], Mask]
"""Which plans of a block a search keeps, of those that fit."""


def all_that_fit(block: Block) -> Mask:
    """Keep every plan that fits."""
    return block.fits


def nothing(block: Block) -> Mask:
    """Keep no plan, and time none: the memory alone counts."""
    return np.zeros(block.fits.shape, bool)


class Shortlist:
    """Keeps what an answer can name: the best of each row and of each value, and what is near.

    A row has one set of degrees. Equal plans are kept together, so that the first can be chosen.
    """

    def __init__(self, measure: Callable[[Block], Array], near: float = 0.0) -> None:
        """Keep plans by a measure to be small.

        Args:
            measure: of each plan of a block, in its shape.
            near: relative distance from the best within which all plans are kept.
        """
        self._measure, self._near, self._best = measure, near, np.inf

    def __call__(self, block: Block) -> Mask:
        """Which plans of a block are kept."""
        measure = np.where(block.fits, self._measure(block), np.inf)
        by_value = measure.min(axis=1)
        by_row = by_value.min(axis=(0, 1, 2))
        by_value = by_value.min(axis=-1)[:, np.newaxis, :, :, np.newaxis]
        self._best = min(self._best, float(by_row.min()))
        limit = np.maximum(by_row, (1 + self._near) * self._best)
        for axes in ((2, 3), (0, 3), (0, 2)):
            limit = np.maximum(limit, by_value.min(axis=axes, keepdims=True))
        kept: Mask = block.fits & (measure <= limit)
        return kept


class Fastest:
    """Keeps the plans of the shortest step."""

    def __init__(self) -> None:
        """Nothing is timed yet."""
        self._least_s = np.inf

    def __call__(self, block: Block) -> Mask:
        """Which plans of a block are kept."""
        step_s = np.where(block.fits, block.step_s, np.inf)
        self._least_s = min(self._least_s, float(step_s.min()))
        kept: Mask = block.fits & (step_s <= self._least_s)
        return kept
