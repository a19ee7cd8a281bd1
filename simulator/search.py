"""Every plan that a model could run by on some chips, and what each would take.

Degrees, micro-batch, recomputation, sharding: all combinations that multiply to the chips and cut
the model evenly are predicted in arrays, in chunks that fit the processor's caches, on all cores.
Those that do not fit in memory stay in the count and leave the ranking.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energy.errors import InfeasibleError
from energy.shape import Number, Shape
from energy.units import si
from simulator.constants import Constants
from simulator.hardware import Hardware
from simulator.memory import memory
from simulator.plan import Plan, one_of, taken
from simulator.power import chip_watts
from simulator.space import space
from simulator.step import step

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
        return Found(plans=taken(self.plans, index), **arrays)

    def one(self, index: int) -> Plan:
        """A single plan of these."""
        return one_of(self.plans, index)


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
        s, p, h, c = (taken(thing, slice(start, end)) for thing in things)
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
