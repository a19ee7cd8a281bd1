"""One optimizer step: its time by part (`simulator.physics.pace`), and the work that it is of.

Fitted constants say how long a part takes; its roof, the best product that the chip is known to do,
says how long it takes at least.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from energy.shape import Number, Shape, plain, total
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.operations import Operation
from simulator.physics.pace import Pace, Work, pace, work_of
from simulator.physics.plan import Plan
from simulator.physics.workload import model_flop


@dataclass(frozen=True, kw_only=True)
class Step(Pace):
    """One optimizer step of one chip.

    Attributes:
        model_flop: of the step, all chips, by part (`workload.model_flop`); attention in full.
        executed_flop: of one chip, by part, with recomputation and padding.
        memory_bytes: moved through one chip's memory, by part.
        relative: relative 80 % band of the step time (low, high).
        least_s: seconds of the parts that multiply at the chip's roof: no world is faster.
    """

    model_flop: dict[str, Number]
    executed_flop: dict[str, Number]
    memory_bytes: dict[str, Number]
    relative: tuple[float, float]
    least_s: dict[str, Number] = field(default_factory=dict)

    def at(self, index: int) -> Step:
        """The single step at one place of the arrays."""

        def single(value: Any) -> Any:
            if isinstance(value, dict):
                return {name: single(part) for name, part in value.items()}
            return value[index].item() if isinstance(value, np.ndarray) else value

        return replace(
            self, **{item.name: single(getattr(self, item.name)) for item in fields(self)}
        )

    def seconds_at(self, factor: Number) -> dict[str, Number]:
        """Seconds by part where steps take `factor` times as long, and no part passes its roof.

        A faster step saves of what each part takes beyond its least. A step of 10 s, 8 s of it
        products that take at least 6 s: at 0.8 there are 2 of 4 s left beside those 6 s, so 7 + 1
        s; at 0.5 nothing is left, 6 + 0 s.
        """
        least, step_s = total(self.least_s) if self.least_s else 0.0, np.asarray(self.step_s)
        spare = np.maximum(step_s - least, 1e-12 * step_s)
        kept = np.clip((step_s * factor - least) / spare, 0.0, 1.0)
        longer = np.maximum(factor, 1.0)
        at_least = {name: np.asarray(self.least_s.get(name, 0.0)) for name in self.seconds}
        return {
            name: plain((at_least[name] + (value - at_least[name]) * kept) * longer)
            for name, value in self.seconds.items()
        }


def step(shape: Shape, plan: Plan, hardware: Hardware, constants: Constants) -> Step:
    """Predict one step of a model under a plan; arrays broadcast.

    Args:
        shape: sizes of the model.
        plan: a possible one (`Parallelism.require_possible`).
        hardware: of one chip.
        constants: of the machine and its software.

    Returns:
        The step of the mean chip.
    """
    work = work_of(shape, plan)
    flop = _amounts(work, lambda operation: operation.flop)
    least_s = _amounts(work, lambda operation: operation.least_seconds(hardware))
    return Step(
        **vars(pace(shape, plan, hardware, constants, work)),
        model_flop=_model_flop(shape, plan),
        executed_flop={name: amount for name, amount in flop.items() if np.any(amount)},
        memory_bytes=_amounts(work, lambda operation: operation.bytes),
        relative=hardware.time_relative,
        least_s={name: amount for name, amount in least_s.items() if np.any(amount)},
    )


def _amounts(work: Work, amount: Callable[[Operation], Number]) -> dict[str, Number]:
    """What all operations of each part have of something, on one chip."""
    sums = {}
    for part, (operations, times) in work.items():
        every: Number = 0.0
        for operation in operations:
            each = amount(operation)
            if isinstance(each, np.ndarray) or each:
                every = every + np.asarray(operation.count, float) * times * each
        sums[part] = plain(every)
    return sums


def _model_flop(shape: Shape, plan: Plan) -> dict[str, Number]:
    tokens = np.asarray(plan.global_batch, float) * shape.seq_len * plan.filled
    return {name: plain(count * tokens) for name, count in model_flop(shape, plan).items()}
