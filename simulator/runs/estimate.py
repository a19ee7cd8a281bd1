"""One optimizer step of a scenario: its plan, seconds and FLOP by part, watts of a chip."""

from __future__ import annotations

from dataclasses import dataclass

from energy.quantity import Boundary, Origin, Quantity
from energy.shape import Shape
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.plan import AXES, Plan, in_words
from simulator.physics.power import chip_watts
from simulator.physics.step import step
from simulator.plans.evaluate import all_plans, predict_all
from simulator.runs.setup import allowed, machine_of, plan_fields, usual_widths
from simulator.scenarios.scenario import Scenario


@dataclass(frozen=True)
class StepEstimate:
    """One optimiser step of all chips.

    Attributes:
        seconds: by part; they sum to the step time.
        executed_flop: by part, of all chips.
        chip_power_w: mean watts of one chip, at `boundary`.
        boundary: what those watts hold.
        peak_flop_per_s: of one chip, dense.
        chip: what the chips are called.
        notes: what was assumed.
    """

    seconds: dict[str, Quantity]
    executed_flop: dict[str, float]
    chip_power_w: Quantity
    boundary: Boundary
    peak_flop_per_s: float
    chip: str
    notes: tuple[str, ...] = ()


def estimate(scenario: Scenario, shape: Shape) -> StepEstimate:
    """Estimate one optimiser step of a scenario.

    Raises:
        InputError: a key or value of its plan is not valid.
        InfeasibleError: no plan of these degrees is possible, or none fits in memory.
    """
    hardware, constants, notes = machine_of(scenario, shape)
    plan, why = plan_of(scenario, shape, hardware, constants)
    found = step(shape, plan, hardware, constants)
    source = f"simulator.physics.step on {hardware.name}"
    chips = scenario.hardware.count
    return StepEstimate(
        seconds={
            name: Quantity.of(float(value), "s", source, Origin.MODELLED, relative=found.relative)
            for name, value in found.seconds.items()
            if float(value) > 0
        },
        executed_flop={name: float(count) * chips for name, count in found.executed_flop.items()},
        chip_power_w=hardware.watts(float(chip_watts(found, hardware, constants))),
        boundary=hardware.power_boundary,
        peak_flop_per_s=float(hardware.peak_flop_per_s),
        chip=hardware.name,
        notes=notes + why,
    )


def plan_of(
    scenario: Scenario, shape: Shape, hardware: Hardware, constants: Constants
) -> tuple[Plan, tuple[str, ...]]:
    """The plan of a scenario: as it says, and the fastest that fits for what it leaves out.

    Raises:
        InputError: a key is not a field of `Plan`, or a value is out of its range.
        InfeasibleError: no such plan is possible, or none fits in memory.
    """
    batch = scenario.run.sequences(float(shape.seq_len))
    count = scenario.hardware.count
    if scenario.hardware.machine is not None:
        found = Plan(n_chips=count, global_batch=batch, **plan_fields(scenario, shape))
        found.require_possible(shape)
        return found, ()
    base = Plan(
        **(usual_widths(scenario) | plan_fields(scenario, shape)), n_chips=count, global_batch=batch
    )
    given = {name: [value] for name, value in scenario.plan.items() if name in AXES}
    possible = all_plans(shape, count, batch, base, allowed(scenario) | given)
    every = predict_all(shape, possible, hardware, constants)
    best = every.one(int(every.best(every.step_s)[0]))
    return best, (
        f"plan: {in_words(best)}; the fastest of {len(every):,} possible ones, "
        f"{int(every.fits.sum()):,} of which fit in memory",
    )
