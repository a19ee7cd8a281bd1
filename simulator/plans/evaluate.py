"""Every plan of a space: whether it fits in memory, and a step's seconds and watts; picks none.

Memory comes first: only plans that fit are timed. Blocks of plans are arrays that stay in a core's
cache, and the blocks are shared out over all cores.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from energy.errors import InfeasibleError
from energy.shape import Shape
from energy.units import si
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.memory import memory
from simulator.physics.plan import AXES, Plan, plan_at, select, with_columns
from simulator.physics.power import chip_watts
from simulator.physics.step import step
from simulator.plans.space import Space

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The plans of a space that fit in memory, in the order of the space, and what kept others out.

    Attributes:
        plans: those that fit, as one plan of arrays.
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

    plans: Plan
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

    def plan(self, index: int) -> Plan:
        """A single plan of these."""
        return plan_at(self.plans, index)

    def take(self, index: NDArray[np.int64]) -> Evaluation:
        """Some of these plans; the counts stay those of the whole space."""
        return replace(
            self,
            plans=select(self.plans, index),
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

CHUNK = 16_384
"""Plans that are timed at once: their arrays stay in a core's cache."""

FEW_PARTS = 16
"""So few that threads, which cost a fifth of the processor time more, save next to nothing."""

Part = TypeVar("Part")
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class _Block:
    """The memory of the plans of some rows of a space.

    Attributes:
        plans: those that fit.
        needs_bytes: of the fullest chip, of those that fit.
        considered: all plans of the rows.
        too_large: those that do not fit, by the largest part of what they hold.
        leanest: the plan that needs the least.
        leanest_bytes: what its fullest chip holds.
    """

    plans: Plan
    needs_bytes: Array
    considered: int
    too_large: dict[str, int]
    leanest: Plan
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

    def checked(rows: slice) -> _Block:
        block = _fitting(shape, space.plans(rows), hardware)
        on_progress(block.considered)
        return block

    def timed(chunk: slice) -> tuple[Array, Array]:
        some = select(plans, chunk)
        seconds = step(shape, some, hardware, constants)
        columns = (seconds.step_s, chip_watts(seconds, hardware, constants))
        step_s, chip_w = (np.broadcast_to(np.asarray(column), len(some.tp)) for column in columns)
        return step_s, chip_w

    blocks = _on_all_cores(checked, space.blocks())
    plans = _joined([block.plans for block in blocks])
    needs_bytes = np.concatenate([block.needs_bytes for block in blocks])
    chunks = [slice(first, first + CHUNK) for first in range(0, len(needs_bytes), CHUNK)]
    columns = _on_all_cores(timed, chunks or [slice(0, 0)])
    step_s, chip_w = (np.concatenate(column) for column in zip(*columns, strict=True))
    leanest = min(blocks, key=lambda block: block.leanest_bytes)
    return Evaluation(
        plans=plans,
        step_s=step_s,
        chip_w=chip_w,
        needs_bytes=needs_bytes,
        tokens=float(space.base.global_batch) * float(shape.seq_len),
        considered=sum(block.considered for block in blocks),
        too_large={
            name: count
            for name in blocks[0].too_large
            if (count := sum(block.too_large[name] for block in blocks))
        },
        leanest=leanest.leanest,
        leanest_bytes=leanest.leanest_bytes,
        limit_bytes=float(hardware.memory_bytes),
    )


def _fitting(shape: Shape, plans: Plan, hardware: Hardware) -> _Block:
    """What fits of some plans, and what keeps the others out."""
    use = memory(shape, plans, hardware)
    needs, fits = np.asarray(use.total_bytes, float), np.asarray(use.fits)
    parts = {name: size for name, size in use.bytes.items() if name != "margin"}
    over = np.stack(
        [np.broadcast_to(np.asarray(size), needs.shape)[~fits] for size in parts.values()]
    )
    largest = np.bincount(np.argmax(over, axis=0), minlength=len(parts))
    least = int(np.argmin(needs))
    return _Block(
        plans=select(plans, np.flatnonzero(fits)),
        needs_bytes=needs[fits],
        considered=len(needs),
        too_large=dict(zip(parts, largest.tolist(), strict=True)),
        leanest=plan_at(plans, least),
        leanest_bytes=float(needs[least]),
    )


def _on_all_cores(function: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
    """The results of all parts, in their order; a few are done sooner than threads help."""
    if len(parts) <= FEW_PARTS:
        return [function(part) for part in parts]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as workers:
        return list(workers.map(function, parts))


def _joined(plans: Sequence[Plan]) -> Plan:
    """The plans of all blocks, end to end."""
    first = plans[0]
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in plans])
        for name in AXES
        if getattr(first, name) is not None
    }
    return with_columns(first, columns)
