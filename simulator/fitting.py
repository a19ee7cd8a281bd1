"""The plans of a large space that fit in memory, and what each takes.

Memory is asked first, and of those that it rules out no time is predicted. Blocks of the space are
made, asked and left again while they are in a core's cache, on all cores.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energy.shape import Shape
from simulator.constants import Constants
from simulator.hardware import Hardware
from simulator.memory import memory
from simulator.plan import Plan, one_of, taken
from simulator.power import chip_watts
from simulator.search import Found
from simulator.space import AXES, BLOCK, Space
from simulator.step import step

Array = NDArray[np.float64]


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
        kept = taken(plans, np.flatnonzero(fits))
        took = step(shape, kept, hardware, constants)
        columns = (took.step_s, chip_watts(took, hardware, constants), needs[fits])
        told(len(needs))
        return _Block(
            kept,
            tuple(np.broadcast_to(np.asarray(one), len(kept.tp)) for one in columns),
            len(needs),
            dict(zip(parts, largest.tolist(), strict=True)),
            one_of(plans, least),
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
