"""The time of one optimiser step, by part.

step = n_micro * (layers + loss) + optimiser + host. Degree one is the whole of it on one device;
what communication and pipelines add are further parts of the same sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from energy.errors import InfeasibleError
from energy.flops import model_flop
from energy.shape import Number, Shape, parameters, plain, total
from simulator import compute
from simulator.compute import Operation
from simulator.constants import Constants
from simulator.hardware import Hardware
from simulator.plan import Plan

TENSORS_A_LAYER = 10
"""Weight tensors of a layer, each an update of its own: 4 of attention, 2 norms, bias, 3 of the
feed-forward network (or a router and two of the experts)."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One optimiser step of one chip.

    Attributes:
        seconds: by part; their sum is the step time.
        model_flop: 3 x forward of the step, all chips, by part; attention in full.
        executed_flop: what one chip does, by part, with recomputation and padding.
        memory_bytes: what travels through one chip's memory, by part.
        compute_busy: share of the step in which arithmetic is the bound, weighted by its use.
        memory_busy: share of the step in which memory is at work.
        link_busy: share of the step in which only the links are at work.
        relative: relative 80 % band of the step time (low, high).
    """

    seconds: dict[str, Number]
    model_flop: dict[str, Number]
    executed_flop: dict[str, Number]
    memory_bytes: dict[str, Number]
    compute_busy: Number
    memory_busy: Number
    link_busy: Number
    relative: tuple[float, float]

    @property
    def step_s(self) -> Number:
        """Seconds of the step."""
        return total(self.seconds)


def step(shape: Shape, plan: Plan, hardware: Hardware, constants: Constants) -> Step:
    """Predict one step of a model laid by a plan on chips.

    Args:
        shape: sizes; fields may be arrays of one shape.
        plan: degrees, batch and execution; likewise.
        hardware: of one chip.
        constants: of the machine and its software.

    Returns:
        The step; arrays broadcast.

    Raises:
        InfeasibleError: the plan has a parallel degree above one.
    """
    plan.require_divides(shape)
    if np.any(np.asarray(plan.n_chips) > 1) or np.any(np.asarray(plan.ep) > 1):
        raise InfeasibleError("expected a plan of one chip", f"n_chips = {plan.n_chips}",
                              "predictions hold for one device")  # fmt: skip
    work = operations(shape, plan)
    seconds: dict[str, Number] = {}
    flop: dict[str, Number] = {}
    traffic: dict[str, Number] = {}
    compute_s: Number = 0.0
    memory_s: Number = 0.0
    for part, found in work.items():
        times = 1 if part == "optimizer" else plan.n_micro
        seconds[part] = _sum(o.count * o.seconds(hardware, constants) * times for o in found)
        flop[part] = _sum(o.count * np.asarray(o.flop) * times for o in found)
        traffic[part] = _sum(o.count * np.asarray(o.bytes) * times for o in found)
        compute_s = compute_s + _sum(
            o.count * o.compute_seconds(hardware, constants) * times for o in found
        )
        memory_s = memory_s + _sum(
            o.count * o.memory_seconds(hardware, constants) * times for o in found
        )
    seconds["host"] = constants.step_s
    step_s = np.asarray(total(seconds))
    tokens = np.asarray(plan.global_batch) * shape.seq_len
    return Step(
        seconds=seconds,
        model_flop={name: plain(count * tokens) for name, count in model_flop(shape).items()},
        executed_flop={name: count for name, count in flop.items() if np.any(count)},
        memory_bytes=traffic,
        compute_busy=plain(compute_s / step_s),
        # Arithmetic and memory may be at work at once; neither is for longer than the step.
        memory_busy=plain(np.minimum(memory_s / step_s, 1)),
        link_busy=0.0,
        relative=hardware.time_relative,
    )


def operations(shape: Shape, plan: Plan) -> dict[str, list[Operation]]:
    """All work of one chip by part: of one micro-batch, and the optimiser's of one step."""
    tensors = plain(TENSORS_A_LAYER * np.asarray(shape.n_layers))
    return compute.layers(shape, plan) | {
        "logits": compute.loss(shape, plan),
        "optimizer": compute.optimizer(total(parameters(shape)), plan, tensors),
    }


def _sum(values: object) -> Number:
    return plain(sum(values))  # type: ignore[call-overload]
