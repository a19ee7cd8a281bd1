"""Every plan of a space: whether it fits in memory, and a step's seconds and watts; picks none.

Memory comes first: only plans that fit are timed. Blocks of plans are arrays that stay in a core's
cache, and the blocks are shared out over all cores.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from energy.errors import InfeasibleError
from energy.shape import Shape
from energy.units import si
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.memory import Memory, memory
from simulator.physics.pace import pace
from simulator.physics.plan import Plan, plan_at
from simulator.physics.power import chip_watts
from simulator.plans.axes import Mask
from simulator.plans.grid import Grid, grids
from simulator.plans.space import Space

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The plans of a space that fit in memory, in the order of the space, and what kept others out.

    Attributes:
        space: of the plans.
        places: of those that fit, in the space.
        step_s: seconds of a step.
        chip_w: mean watts of a chip; not a number where the chip's watts are unknown.
        needs_bytes: of the fullest chip.
        tokens: of one step, over all chips.
        considered: plans of the space, fitting or not.
        too_large: plans that do not fit, counted by the largest part of what they hold.
        leanest: the plan that needs the least memory, whether it fits or not.
        leanest_bytes: what its fullest chip holds.
        limit_bytes: memory of a chip.
    """

    space: Space
    places: NDArray[np.int64]
    step_s: Array
    chip_w: Array
    needs_bytes: Array
    tokens: float
    considered: int
    too_large: dict[str, int]
    leanest: Plan
    leanest_bytes: float
    limit_bytes: float

    def __len__(self) -> int:
        return len(self.step_s)

    @property
    def tokens_per_s(self) -> Array:
        """Tokens a second of all chips."""
        return self.tokens / self.step_s

    @property
    def plans(self) -> Plan:
        """Those that fit, as one plan of arrays."""
        return self.space.at(self.places)

    def plan(self, index: int) -> Plan:
        """A single plan of these."""
        return plan_at(self.space.at(self.places[index : index + 1]), 0)

    def take(self, index: NDArray[np.int64]) -> Evaluation:
        """Some of these plans; the counts stay those of the whole space."""
        return replace(
            self,
            places=self.places[index],
            step_s=self.step_s[index],
            chip_w=self.chip_w[index],
            needs_bytes=self.needs_bytes[index],
        )

    def at_limit(self, index: int | None = None) -> str:
        """What to say of a plan whose memory is within the model's error of a chip's; else blank.

        Args:
            index: of a plan that fits; None is the leanest, which may not.
        """
        needs = self.leanest_bytes if index is None else float(self.needs_bytes[index])
        if abs(needs / self.limit_bytes - 1) > NEAR_LIMIT:
            return ""
        return (
            f"memory: at the limit, {si(needs, 'B')} of {si(self.limit_bytes, 'B')} a chip; the "
            f"model errs by {NEAR_LIMIT:.0%}, so it may fit or not"
        )

    def require_fit(self) -> None:
        """Refuse a space of which nothing fits.

        Raises:
            InfeasibleError: no plan fits in memory.
        """
        if not len(self):
            raise InfeasibleError(
                "expected a plan that fits in memory",
                f"{self.considered:,} plans, the leanest of {si(self.leanest_bytes, 'B')} a chip",
                "more chips, a smaller batch or a chip with more memory",
            )


NEAR_LIMIT = 0.05
"""Distance from the limit, as a share of it, at which plans that ran were refused."""

FEW_PARTS = 16
"""So few that threads, which cost a fifth of the processor time more, save next to nothing."""

Part = TypeVar("Part")
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class _Part:
    """The plans of a grid.

    Attributes:
        places: of those that fit, in the space.
        needs_bytes: of the fullest chip, of those that fit.
        step_s: of those that fit.
        chip_w: of those that fit.
        considered: all plans.
        too_large: those that do not fit, by the largest part of what they hold.
        leanest: the place of the plan that needs the least, the first in the space.
        leanest_bytes: what its fullest chip holds.
    """

    places: NDArray[np.int64]
    needs_bytes: Array
    step_s: Array
    chip_w: Array
    considered: int
    too_large: dict[str, int]
    leanest: int
    leanest_bytes: float


def evaluate(
    shape: Shape,
    space: Space,
    hardware: Hardware,
    constants: Constants,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Evaluation:
    """Check every plan of a space against the memory, and predict those that fit.

    Args:
        shape: of the model (numbers, as are hardware and constants).
        space: of the plans.
        hardware: of one chip.
        constants: of the machine and its software.
        on_progress: called with the number of plans of each block that is checked.
    """

    def evaluated(block: tuple[Grid, Mask]) -> _Part:
        part = _evaluated(*block, shape, hardware, constants)
        on_progress(part.considered)
        return part

    parts = _on_all_cores(evaluated, list(grids(space)))
    places = np.concatenate([part.places for part in parts])
    order = np.argsort(places)
    needs_bytes, step_s, chip_w = (
        np.concatenate([getattr(part, name) for part in parts])[order]
        for name in ("needs_bytes", "step_s", "chip_w")
    )
    leanest = min(parts, key=lambda part: (part.leanest_bytes, part.leanest))
    return Evaluation(
        space=space,
        places=places[order],
        step_s=step_s,
        chip_w=chip_w,
        needs_bytes=needs_bytes,
        tokens=float(space.base.global_batch) * float(shape.seq_len),
        considered=sum(part.considered for part in parts),
        too_large={
            name: count
            for name in parts[0].too_large
            if (count := sum(part.too_large[name] for part in parts))
        },
        leanest=plan_at(space.at(np.array([leanest.leanest])), 0),
        leanest_bytes=leanest.leanest_bytes,
        limit_bytes=float(hardware.memory_bytes),
    )


def _evaluated(
    grid: Grid, valid: Mask, shape: Shape, hardware: Hardware, constants: Constants
) -> _Part:
    """What fits of a grid, and what keeps the others out."""
    use = memory(shape, grid.plan, hardware)
    needs = np.where(valid, use.total_bytes, np.inf)
    fits = valid & (needs <= hardware.memory_bytes)
    least = np.min(needs)
    few, mask = grid.narrowed(fits)
    columns = {"step_s": np.empty(few.shape), "chip_w": np.empty(few.shape)}
    if mask.size:
        seconds = pace(shape, few.plan, hardware, constants)
        columns["step_s"][:] = seconds.step_s
        columns["chip_w"][:] = chip_watts(seconds, hardware, constants)
    return _Part(
        places=few.places[mask],
        needs_bytes=needs[fits],
        considered=int(np.count_nonzero(valid)),
        too_large=_too_large(use, valid & ~fits),
        leanest=int(grid.places[needs == least].min()),
        leanest_bytes=float(least),
        **{name: column[mask] for name, column in columns.items()},
    )


def _too_large(use: Memory, over: Mask) -> dict[str, int]:
    """Plans that do not fit, by the largest part of what they hold."""
    parts = {name: np.asarray(size) for name, size in use.bytes.items() if name != "margin"}
    first, *rest = parts.values()
    most, largest = first, np.zeros(first.shape, np.int8)
    for number, size in enumerate(rest, 1):
        larger = size > most
        most, largest = np.maximum(size, most), np.where(larger, np.int8(number), largest)
    counts = np.bincount(np.broadcast_to(largest, over.shape)[over], minlength=len(parts))
    return dict(zip(parts, counts.tolist(), strict=True))


def _on_all_cores(function: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
    """The results of all parts, in their order; a few are done sooner than threads help."""
    if len(parts) <= FEW_PARTS:
        return [function(part) for part in parts]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as workers:
        return list(workers.map(function, parts))
