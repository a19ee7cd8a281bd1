"""Every plan that a model could run by on some chips, and what each would take.

Degrees, micro-batch, recomputation, sharding: all combinations that multiply to the chips and cut
the model evenly are predicted in arrays, in chunks that fit the processor's caches, on all cores.
Those that do not fit in memory stay in the count and leave the ranking.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energy.errors import InfeasibleError
from energy.shape import Number, Shape
from energy.units import si
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.memory import memory
from simulator.physics.plan import AXES, Plan, plan_at, select
from simulator.physics.power import chip_watts
from simulator.physics.step import step
from simulator.plans.space import BLOCK, Space, space

Array = NDArray[np.float64]


CHUNK = 16_384
"""Plans predicted at once: their arrays stay in a core's cache."""


@dataclass(frozen=True)
class Found:
    """Plans of one question with what each takes, in the order they were made.

    Attributes:
        plans: all of them.
        step_s: seconds of a step.
        chip_w: mean watts of a chip; not a number where the chip's are unknown.
        needs_bytes: of the fullest chip.
        fits: whether that is within its memory.
        chips: chips of each plan.
        tokens: of one step.
    """

    plans: Plan
    step_s: Array
    chip_w: Array
    needs_bytes: Array
    fits: NDArray[np.bool_]
    chips: Array
    tokens: Array

    def __len__(self) -> int:
        return len(self.step_s)

    @property
    def tokens_per_s(self) -> Array:
        """Tokens a second of all chips."""
        return self.tokens / self.step_s

    def best(self, by: Array, count: int = 1) -> NDArray[np.int64]:
        """Indices of the plans that fit with the least of a measure, the least first.

        Raises:
            InfeasibleError: none fits.
        """
        order = np.argsort(np.where(self.fits & np.isfinite(by), by, np.inf))
        order = order[: int(self.fits.sum())]
        if not len(order):
            least = float(np.min(self.needs_bytes)) if len(self) else np.inf
            raise InfeasibleError(
                "expected a plan that fits in memory",
                f"{len(self):,} plans, the leanest of {si(least, 'B')} a chip",
                "more chips, a smaller batch or a chip with more memory",
            )
        return order[:count]

    def take(self, index: NDArray[np.int64]) -> Found:
        """Some of these."""
        arrays = {
            item.name: getattr(self, item.name)[index]
            for item in fields(self)
            if item.name != "plans"
        }
        return Found(plans=select(self.plans, index), **arrays)

    def one(self, index: int) -> Plan:
        """A single plan of these."""
        return plan_at(self.plans, index)


def all_plans(
    shape: Shape, n_chips: int, global_batch: float, base: Plan, given: dict[str, list[Any]]
) -> Plan:
    """All plans of a coarse space on some chips as one plan of arrays; arguments as of `space`.

    Raises:
        InfeasibleError: no combination is possible.
    """
    return space(shape, n_chips, global_batch, base, given).plans()


def predict_all(
    shape: Shape,
    plans: Plan,
    hardware: Hardware,
    constants: Constants,
    told: Callable[[int], None] = lambda _: None,
) -> Found:
    """What each plan takes: arrays in, arrays out, in chunks on all cores.

    Args:
        shape: of the model; numbers, or arrays beside those of the plans.
        plans: many.
        hardware: of the chips; likewise.
        constants: likewise.
        told: called with the number of plans of each chunk that is done.
    """
    things = (shape, plans, hardware, constants)
    size = max(
        len(value)
        for thing in things
        for item in fields(thing)
        if isinstance(value := getattr(thing, item.name), np.ndarray)
    )
    starts = range(0, size, CHUNK)

    def part(start: int) -> tuple[Array, ...]:
        end = min(start + CHUNK, size)
        s, p, h, c = (select(thing, slice(start, end)) for thing in things)
        found, held = step(s, p, h, c), memory(s, p, h)
        tokens: Number = np.asarray(p.global_batch) * s.seq_len
        values = (
            found.step_s,
            chip_watts(found, h, c),
            held.total_bytes,
            held.fits,
            p.n_chips,
            tokens,
        )
        told(end - start)
        return tuple(np.broadcast_to(np.asarray(value), end - start) for value in values)

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as workers:
        parts = list(workers.map(part, starts))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    step_s, watts, size_b, fits, chips, tokens = columns
    return Found(plans, step_s, watts, size_b, fits.astype(bool), chips, tokens)


@dataclass(frozen=True)
class Fitting:
    """What fits of a space, and what keeps the rest out.

    Attributes:
        found: plans that fit.
        searched: all plans of the space.
        too_large: those that do not fit, by the largest part of what they hold.
        leanest: the plan that needs the least memory, whether it fits or not.
        leanest_bytes: what its fullest chip holds.
    """

    found: Found
    searched: int
    too_large: dict[str, int]
    leanest: Plan
    leanest_bytes: float


@dataclass(frozen=True)
class _Block:
    plans: Plan
    columns: tuple[Array, ...]
    size: int
    too_large: dict[str, int]
    leanest: Plan
    leanest_bytes: float


def fitting(
    shape: Shape,
    space: Space,
    hardware: Hardware,
    constants: Constants,
    told: Callable[[int], None] = lambda _: None,
) -> Fitting:
    """Hold every plan of a space against the memory, and predict what fits.

    Args:
        shape: of the model (numbers, as are hardware and constants).
        space: of the plans.
        hardware: of the chips.
        constants: of the machine and its software.
        told: called with the number of plans of each block that is done.
    """

    def block(first: int) -> _Block:
        plans = space.plans(first, BLOCK)
        held = memory(shape, plans, hardware)
        needs, fits = np.asarray(held.total_bytes, float), np.asarray(held.fits)
        parts = {name: size for name, size in held.bytes.items() if name != "margin"}
        over = np.stack(
            [np.broadcast_to(np.asarray(size), needs.shape)[~fits] for size in parts.values()]
        )
        largest = np.bincount(np.argmax(over, axis=0), minlength=len(parts))
        least = int(np.argmin(needs))
        kept = select(plans, np.flatnonzero(fits))
        took = step(shape, kept, hardware, constants)
        columns = (took.step_s, chip_watts(took, hardware, constants), needs[fits])
        told(len(needs))
        return _Block(
            kept,
            tuple(np.broadcast_to(np.asarray(one), len(kept.tp)) for one in columns),
            len(needs),
            dict(zip(parts, largest.tolist(), strict=True)),
            plan_at(plans, least),
            float(needs[least]),
        )

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as workers:
        blocks = list(workers.map(block, space.starts(BLOCK)))
    leanest = min(blocks, key=lambda one: one.leanest_bytes)
    return Fitting(
        found=_found([one.plans for one in blocks], [one.columns for one in blocks], shape),
        searched=sum(one.size for one in blocks),
        too_large={
            name: count
            for name in blocks[0].too_large
            if (count := sum(one.too_large[name] for one in blocks))
        },
        leanest=leanest.leanest,
        leanest_bytes=leanest.leanest_bytes,
    )


def _found(plans: Sequence[Plan], columns: Sequence[tuple[Array, ...]], shape: Shape) -> Found:
    """The plans of all blocks, and what they take, end to end."""
    step_s, watts, needs = (np.concatenate(column) for column in zip(*columns, strict=True))
    first = plans[0]
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(one, name) for one in plans])
        for name in AXES
        if getattr(first, name) is not None
    }
    every = np.ones(len(step_s))
    return Found(
        plans=replace(first, **joined),
        step_s=step_s,
        chip_w=watts,
        needs_bytes=needs,
        fits=every.astype(bool),
        chips=every * float(first.n_chips),
        tokens=every * float(first.global_batch) * float(shape.seq_len),
    )
