"""Every plan of a space: whether it fits in memory, and a step's seconds and watts.

Memory comes first: only plans that fit are timed, and of these what a search keeps stays. Plans
are axes of arrays that broadcast (`simulator.plans.grid`), in grids that are shared out over all
cores.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from energy.allocator import keep_freed_memory
from energy.errors import InfeasibleError
from energy.shape import Shape
from energy.units import si
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.memory import Memory, memory
from simulator.physics.pace import Pace
from simulator.physics.plan import Plan, plan_at
from simulator.physics.power import chip_watts
from simulator.plans.axes import Mask
from simulator.plans.block import Block, Keep, all_that_fit
from simulator.plans.grid import Grid, grids
from simulator.plans.space import Space, joined

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The plans of a space that fit in memory, all or those that were kept, and what others lack.

    Attributes:
        space: of the plans.
        places: of the plans, in the space; in any order.
        step_s: seconds of a step.
        chip_w: mean watts of a chip; not a number where the chip's watts are unknown.
        needs_bytes: of the fullest chip.
        tokens: of one step, over all chips.
        fitting: plans that fit, kept or not.
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
    fitting: int
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
        """All of them, as one plan of arrays."""
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

    def in_order(self) -> Evaluation:
        """The same plans in the order of the space, so that of equal ones the same is the first."""
        return self.take(np.argsort(self.places))

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


EACH_ROW = (0, 1, 2, 3)
"""Axes of all plans of a row."""

Kept = tuple[NDArray[np.int64], Array, Array, Array]
"""Places, bytes, seconds and watts of plans."""

NOTHING: Kept = (np.empty(0, np.int64), np.empty(0), np.empty(0), np.empty(0))


@dataclass(frozen=True, kw_only=True)
class _Part:
    """The plans of a grid.

    Attributes:
        kept: places, bytes, seconds and watts of those that are kept.
        rows: of the space.
        fitting: plans that fit, by row.
        too_large: those that do not, by row and by the largest part of what they hold.
        names: of these parts.
        leanest: the place of the plan that needs the least, the first in the space, by row.
        leanest_bytes: what its fullest chip holds, by row.
    """

    kept: Kept
    rows: NDArray[np.int64]
    fitting: NDArray[np.int64]
    too_large: NDArray[np.int64]
    names: tuple[str, ...]
    leanest: NDArray[np.int64]
    leanest_bytes: Array


def evaluate(
    shape: Shape,
    space: Space,
    hardware: Hardware,
    constants: Constants,
    on_progress: Callable[[int], None] = lambda _: None,
    keep: Keep = all_that_fit,
) -> Evaluation:
    """Check every plan of a space against the memory, and predict those that fit.

    Args:
        shape: of the model (numbers, as are hardware and constants).
        space: of the plans.
        hardware: of one chip.
        constants: of the machine and its software.
        on_progress: called with the number of plans of each block that is checked.
        keep: says of a block which plans stay in memory.
    """
    return next(evaluate_all(shape, [space], hardware, constants, on_progress, keep))


def evaluate_all(
    shape: Shape,
    spaces: Sequence[Space],
    hardware: Hardware,
    constants: Constants,
    on_progress: Callable[[int], None] = lambda _: None,
    keep: Keep = all_that_fit,
) -> Iterator[Evaluation]:
    """Evaluate several spaces of one model on one chip together, as few calls as large arrays take.

    Args:
        shape: as of `evaluate`, and the others too.
        spaces: of other chips, batches or degrees; one at least.
        hardware: of one chip.
        constants: of the machine and its software.
        on_progress: called with the number of plans of each block that is checked.
        keep: says of a block which plans stay in memory.
    """
    whole = joined(spaces)

    def evaluated(block: tuple[Grid, Mask]) -> _Part:
        part = _evaluated(*block, shape, hardware, constants, keep)
        on_progress(int(part.fitting.sum() + part.too_large.sum()))
        return part

    keep_freed_memory()
    parts = _on_all_cores(evaluated, list(grids(whole)))
    by_row = np.argsort(np.concatenate([part.rows for part in parts]))
    fitting, too_large, leanest, leanest_bytes = (
        np.concatenate([getattr(part, name) for part in parts])[by_row]
        for name in ("fitting", "too_large", "leanest", "leanest_bytes")
    )
    kept = [np.concatenate(columns) for columns in zip(*(part.kept for part in parts), strict=True)]
    ends = np.cumsum([len(space.rows["tp"]) for space in spaces])
    spaces_of = np.searchsorted(ends, kept[0] // whole.plans_of_a_row, side="right")
    by_space = np.argsort(spaces_of.astype(np.uint16), kind="stable")
    counts = np.bincount(spaces_of, minlength=len(spaces))
    for space, end, last, count in zip(spaces, ends, np.cumsum(counts), counts, strict=True):
        rows = slice(end - len(space.rows["tp"]), end)
        least = rows.start + np.lexsort((leanest[rows], leanest_bytes[rows]))[0]
        columns = (column[by_space[last - count : last]] for column in kept)
        sums = zip(parts[0].names, too_large[rows].sum(0).tolist(), strict=True)
        yield Evaluation(
            space=whole,
            **dict(zip(("places", "needs_bytes", "step_s", "chip_w"), columns, strict=True)),
            tokens=float(space.base.global_batch) * float(shape.seq_len * space.base.filled),
            fitting=int(fitting[rows].sum()),
            considered=int(fitting[rows].sum() + too_large[rows].sum()),
            too_large={name: plans for name, plans in sums if plans},
            leanest=plan_at(whole.at(leanest[least : least + 1]), 0),
            leanest_bytes=float(leanest_bytes[least]),
            limit_bytes=float(hardware.memory_bytes),
        )


def _evaluated(
    grid: Grid, valid: Mask, shape: Shape, hardware: Hardware, constants: Constants, keep: Keep
) -> _Part:
    """What is kept of a grid, and what its memory says of each row."""
    use = memory(shape, grid.plan, hardware)
    needs = np.where(valid, use.total_bytes, np.inf)
    fits = valid & (needs <= hardware.memory_bytes)
    block = Block(*grid.narrowed(fits), shape, hardware, constants)
    names, too_large = _too_large(use, valid & ~fits)
    least = needs.min(axis=EACH_ROW)
    leanest = np.full(least.shape, np.iinfo(np.int64).max)
    at_least = np.flatnonzero(needs == least)
    np.minimum.at(leanest, at_least % len(least), grid.places(at_least))
    return _Part(
        kept=_kept(block, needs[fits], keep) if block.fits.size else NOTHING,
        rows=grid.indices[-1],
        fitting=fits.sum(axis=EACH_ROW),
        too_large=too_large,
        names=names,
        leanest=leanest,
        leanest_bytes=least,
    )


def _kept(block: Block, needs_bytes: Array, keep: Keep) -> Kept:
    """What is kept of a block, and what each of it takes."""
    kept = keep(block)
    places = block.grid.places(np.flatnonzero(kept))
    if kept is block.fits:
        return (
            block.grid.places(np.flatnonzero(kept)),
            needs_bytes,
            block.step_s[kept],
            block.chip_w[kept],
        )
    if not kept.any():
        return NOTHING
    few = Pace(
        seconds={"step": block.step_s[kept]},
        **{
            name: np.broadcast_to(getattr(block.pace, name), kept.shape)[kept]
            for name in ("compute_s", "memory_s", "link_s")
        },
    )
    watts = np.asarray(chip_watts(few, block.hardware, block.constants))
    return places, needs_bytes[kept[block.fits]], np.asarray(few.step_s), watts


def _too_large(use: Memory, over: Mask) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Plans that do not fit, by row and by the largest part of what they hold."""
    names, rows = tuple(name for name in use.bytes if name != "margin"), over.shape[-1]
    if not over.any():
        return names, np.zeros((rows, len(names)), np.int64)
    # Activations and logits know of recomputation, the others of ZeRO: joined last.
    first, last = (_largest(use, some) for some in (names[:-2], names[-2:]))
    of_last = np.int8(len(names) - 2) + last[0]
    largest = np.where(last[1] > first[1], of_last, first[0]) + len(names) * np.arange(
        rows, dtype=np.int32
    )
    counts = np.bincount(np.broadcast_to(largest, over.shape)[over], minlength=rows * len(names))
    return names, counts.reshape(rows, len(names))


def _largest(use: Memory, names: Sequence[str]) -> tuple[NDArray[np.int8], Array]:
    """The first of the largest of some parts, and its bytes."""
    largest: NDArray[np.int8] = np.zeros(1, np.int8)
    most = np.asarray(use.bytes[names[0]])
    for number, name in enumerate(names[1:], 1):
        size = np.asarray(use.bytes[name])
        largest, most = np.where(size > most, np.int8(number), largest), np.maximum(size, most)
    return largest, most


def _on_all_cores(function: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
    """The results of all parts, in their order; a few are done sooner than threads help."""
    if len(parts) <= FEW_PARTS:
        return [function(part) for part in parts]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as workers:
        return list(workers.map(function, parts))
