"""One optimizer step of a scenario: by its plan, or by the fastest that fits; seconds and watts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from energy.arithmetic import add
from energy.flops import Convention
from energy.quantity import Boundary, Origin, Quantity
from simulator.physics.memory import memory
from simulator.physics.plan import Plan, in_words, plan_at, select
from simulator.physics.power import chip_watts
from simulator.physics.step import Step, step
from simulator.physics.workload import model_flop
from simulator.plans.block import Fastest
from simulator.plans.evaluate import Evaluation, evaluate
from simulator.runs.setup import Setup

COUNTED: dict[Convention, str] = {"causal": "causal attention", "full": "attention in full"}
"""Conventions of counting attention scores, in words."""

PASSES = {
    "pre-training": "energy.flops: forward and backward",
    "fine-tuning": "energy.flops: forward and backward",
    "lora": "forward, and backward without the gradients of frozen weights",
    "rl": "generation, forward passes, and forward and backward",
}
"""Passes whose FLOP count, by the kinds of [workload]."""


@dataclass(frozen=True)
class Phase:
    """A part of a step that comes before its training, on all chips.

    Attributes:
        name: of the part.
        seconds: of one step.
        model_flop: of all chips, by the convention of counting attention.
        executed_flop: of all chips.
        chip_w: mean watts of one chip.
    """

    name: str
    seconds: Quantity
    model_flop: Mapping[Convention, float]
    executed_flop: float
    chip_w: float


@dataclass(frozen=True)
class Estimate:
    """One optimizer step of all chips.

    Attributes:
        setup: the scenario, resolved.
        plan: as the scenario says, and the fastest that fits for what it leaves open.
        step: of the mean chip.
        chip_w: mean watts of one chip; not a number where the chip's watts are unknown.
        notes: where the constants and the plan come from.
        before: what comes before the training in each step: generation, forward passes.
    """

    setup: Setup
    plan: Plan
    step: Step
    chip_w: float
    notes: tuple[str, ...]
    before: tuple[Phase, ...] = ()

    @cached_property
    def seconds(self) -> dict[str, Quantity]:
        """Seconds by part; they sum to the step time, and their low ends to its low end."""
        source = f"simulator.physics.step on {self.setup.hardware.name}"
        low, high = (self.step.seconds_at(1 + end) for end in self.step.relative)
        return {phase.name: phase.seconds for phase in self.before} | {
            name: Quantity(
                value=float(value),
                low=float(low[name]),
                high=float(high[name]),
                unit="s",
                origin=Origin.MODELLED,
                source=source,
            )
            for name, value in self.step.seconds.items()
            if float(value) > 0
        }

    @cached_property
    def step_s(self) -> Quantity:
        """Seconds of the step: the sum of its parts, which err together."""
        return add(list(self.seconds.values()), source="sum of the parts of a step")

    @property
    def convention(self) -> Convention:
        """How attention scores are counted, in model and executed FLOP alike: as the kernels do.

        Fused attention skips what a causal mask hides; unfused computes all positions.
        """
        return "causal" if self.plan.flash else "full"

    def model_flop(self, convention: Convention | None = None) -> dict[str, float]:
        """Model FLOP of a step by part, of all chips; in `convention` without another."""
        tokens = self.setup.tokens / self.setup.steps
        counting = convention or self.convention
        counted = model_flop(self.setup.shape, self.plan, counting)
        return {phase.name: phase.model_flop[counting] for phase in self.before} | {
            name: float(count) * tokens for name, count in counted.items()
        }

    def mfu(self, convention: Convention | None = None) -> Quantity:
        """Model FLOP of a step over what the chips' peak would do in its time."""
        counted = convention or self.convention
        flop = sum(self.model_flop(counted).values())
        return self._utilization(flop, f"model FLOP, {COUNTED[counted]}")

    @property
    def hfu(self) -> Quantity:
        """Executed FLOP of a step over what the chips' peak would do in its time."""
        flop = sum(self.executed_flop.values())
        return self._utilization(flop, f"executed FLOP, {COUNTED[self.convention]}")

    def _utilization(self, flop: float, of: str) -> Quantity:
        """FLOP of a step over its time x peak, with the band of its time."""
        hardware = self.setup.hardware
        ideal_s = flop / (self.setup.chips * float(hardware.peak_flop_per_s))
        value, low, high = self.step_s.numbers()
        return Quantity(
            value=ideal_s / value,
            low=ideal_s / high,
            high=ideal_s / low,
            unit="1",
            origin=Origin.MODELLED,
            source=f"{of}, over step time x chips x {hardware.precision} peak",
        )

    @property
    def executed_flop(self) -> dict[str, float]:
        """Executed FLOP by part, of all chips."""
        chips = self.setup.chips
        return {phase.name: phase.executed_flop for phase in self.before} | {
            name: float(count) * chips for name, count in self.step.executed_flop.items()
        }

    @property
    def memory_bytes(self) -> float:
        """Bytes of the fullest chip in training."""
        setup = self.setup
        return float(memory(setup.shape, self.plan, setup.hardware).total_bytes)

    @cached_property
    def chip_power_w(self) -> Quantity:
        """Mean watts of one chip, at `boundary`; missing where those of the chip are not known."""
        return self.setup.hardware.watts(self.chip_w)

    @property
    def boundary(self) -> Boundary:
        """Where those watts are drawn."""
        return self.setup.hardware.power_boundary

    def for_setup(self, setup: Setup) -> Estimate:
        """The same step for another run or site (`Setup.of_same_step`, `Setup.at`)."""
        return replace(self, setup=setup)


def estimate(setup: Setup, plan: Plan | None = None) -> Estimate:
    """Estimate one optimizer step.

    Args:
        setup: of the scenario.
        plan: to use; without it, the scenario's, and the fastest that fits for what that leaves
            open. A calibrated machine takes the scenario's as it is.

    Raises:
        InputError: a value of the plan is out of its range.
        InfeasibleError: no plan of these degrees is possible, or none fits in memory.
    """
    notes = setup.notes
    if plan is None and setup.software is None:
        plan = setup.base
        plan.require_possible(setup.shape)
    if plan is None:
        fitting = evaluate(
            setup.shape, setup.space(), setup.hardware, setup.constants, keep=Fastest()
        ).in_order()
        notes += _chosen_note(
            plan := _chosen(fitting, named={"tp", "pp"} <= set(setup.scenario.plan)), fitting
        )
    taken = step(setup.shape, plan, setup.hardware, setup.constants)
    watts = float(chip_watts(taken, setup.hardware, setup.constants))
    return Estimate(setup, plan, taken, watts, notes)


def _chosen(fitting: Evaluation, *, named: bool) -> Plan:
    """The fastest plan that fits; where none does, the leanest of named degrees at the limit.

    Args:
        fitting: the fastest plans, and how many there are.
        named: whether the scenario names the degrees, as one that ran does.

    Raises:
        InfeasibleError: none fits, by more than the memory model errs.
    """
    if len(fitting) or not (named and fitting.at_limit()):
        fitting.require_fit()
        return fitting.plan(int(np.argmin(fitting.step_s)))
    return fitting.leanest


def _chosen_note(plan: Plan, fitting: Evaluation) -> tuple[str, ...]:
    """How the plan was chosen, and whether its memory is too near to the limit to tell."""
    which = "the fastest" if len(fitting) else "the leanest"
    near = fitting.at_limit(int(np.argmin(fitting.step_s)) if len(fitting) else None)
    words = (
        f"plan: {in_words(plan)}; {which} of {fitting.considered:,} possible ones, "
        f"{fitting.fitting:,} of which fit in memory"
    )
    return (words, near) if near else (words,)


def estimates(setup: Setup, plans: Plan, indices: Sequence[int]) -> list[Estimate]:
    """Estimate one optimizer step by each of some plans, all at once.

    Args:
        setup: of the scenario.
        plans: possible plans, as arrays.
        indices: of those to estimate.
    """
    chosen = select(plans, np.asarray(indices))
    taken = step(setup.shape, chosen, setup.hardware, setup.constants)
    watts = np.broadcast_to(chip_watts(taken, setup.hardware, setup.constants), len(indices))
    return [
        Estimate(setup, plan_at(chosen, place), taken.at(place), float(watts[place]), setup.notes)
        for place in range(len(indices))
    ]
