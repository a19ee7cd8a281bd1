"""A scenario becomes a predicted RunRecord, and the tree that its numbers were computed by.

elapsed = steps x step time / goodput; joules = chips x watts a chip x elapsed, idle and restarts
included; then the same facility, carbon, water and cost steps as for a measured run.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from energy import flops
from energy import shape as shapes
from energy.footprint import apply as footprint
from energy.quantity import Boundary, Origin, Quantity
from energy.record import EnergyEntry, Kind, Part, RunRecord, Window, nothing_wasted, totals
from energy.shape import Shape
from simulator.facts.assumptions import scenario_assumptions
from simulator.runs import terms as derivation
from simulator.runs.hosts import placed
from simulator.runs.terms import carbon
from simulator.scenarios.scenario import Scenario
from simulator.terms import Term, product, total

if TYPE_CHECKING:
    from simulator.runs.estimate import StepEstimate


@dataclass(frozen=True)
class Prediction:
    """A predicted record and how it came about.

    Attributes:
        record: the run as predicted.
        boundary: of the watts that its joules were computed from.
        elapsed: derivation of the wall clock.
        energy: derivation of the joules at `boundary`.
    """

    record: RunRecord
    boundary: Boundary
    elapsed: Term
    energy: Term

    def trees(self, accounting: str = "location") -> tuple[Term, ...]:
        """The derivation that `--explain` prints: CO2e, down to the parts of a step."""
        return (carbon(self.energy, self.boundary, self.record, accounting),)


def predict(scenario: Scenario) -> Prediction:
    """Predict what a scenario spends, from its configuration alone.

    A [published] section is not looked at: a prediction never uses what it is judged by.
    """
    from simulator.runs.estimate import estimate

    shape = scenario.model.resolve()
    found = estimate(scenario, shape)
    seq_len = float(shape.seq_len)
    steps = scenario.run.total_tokens(seq_len) / (scenario.run.sequences(seq_len) * seq_len)
    elapsed = elapsed_time(steps, found, goodput(scenario))
    energy = chip_energy(scenario.hardware.count, found, elapsed)
    record = _record(scenario, shape, found, elapsed, energy)
    whole = footprint.apply(record, placed(scenario, found.boundary, found.chip_power_w))
    return Prediction(whole, found.boundary, elapsed, energy)


def goodput(scenario: Scenario) -> Quantity:
    """Productive over elapsed time: the scenario's, or a band that is loudly assumed."""
    if scenario.run.goodput is not None:
        return scenario.run.goodput
    kind = "one_machine" if scenario.hardware.count == 1 else "cluster"
    return scenario_assumptions()["goodput"][kind]


def elapsed_time(steps: float, found: StepEstimate, goodput: Quantity) -> Term:
    """Seconds of wall clock: steps x step time / goodput."""
    parts = [Term(name, seconds) for name, seconds in found.seconds.items()]
    return product(
        "elapsed time",
        "s",
        Term("steps", Quantity.exact(steps, "1", "scenario: tokens / tokens of a step")),
        total("step time", *parts),
        over=(Term("goodput", goodput),),
    )


def chip_energy(chips: int, found: StepEstimate, elapsed: Term) -> Term:
    """Joules at the chips: chips x watts a chip x elapsed time."""
    count = Term("chips", Quantity.exact(chips, "1", "scenario: hardware.count"))
    return product("chip energy", "J", count, Term("watts a chip", found.chip_power_w), elapsed)


def _record(
    scenario: Scenario, shape: Shape, found: StepEstimate, elapsed: Term, energy: Term
) -> RunRecord:
    """The predicted record up to the chips; the site comes after."""
    seq_len = float(shape.seq_len)
    tokens = scenario.run.total_tokens(seq_len)
    steps = elapsed.find("steps").quantity.numbers()[0]
    step_s = elapsed.find("step time").quantity
    work = {name: float(count) * tokens for name, count in flops.model_flop(shape).items()}
    model_flop = sum(work.values())
    chips = scenario.hardware.count
    entry = EnergyEntry(
        **energy.quantity.model_dump(),
        device=f"{chips:,} x {found.chip}",
        boundary=found.boundary,
        api="simulator: watts from what the step is doing x elapsed time",
    )
    no_site = "no site was applied"
    return RunRecord(
        name=scenario.name,
        kind=Kind.PREDICTED,
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        tokens=Quantity.exact(tokens, "1", "scenario"),
        params_total=_counted(shapes.parameters(shape)),
        params_active=_counted(shapes.active_parameters(shape)),
        model_flop=_flop(model_flop, "energy.flops: forward and backward, attention in full"),
        executed_flop=_flop(sum(found.executed_flop.values()) * steps, "simulator.physics.step"),
        elapsed_s=elapsed.quantity,
        chip_s=elapsed.quantity.scaled(chips, source="chips x elapsed time"),
        energy=[entry],
        totals=totals([entry]),
        co2_location_g=Quantity.absent("g", no_site),
        co2_market_g=Quantity.absent("g", no_site),
        co2_embodied_g=Quantity.absent("g", no_site),
        water_l=Quantity.absent("L", no_site),
        cost_usd=Quantity.absent("USD", no_site),
        wasted=nothing_wasted("predicted within goodput", Origin.MODELLED),
        parts=_parts(work, found, steps, energy),
        windows=[
            Window(
                name="step",
                count=max(1, round(steps)),
                elapsed_s=step_s.scaled(max(1, round(steps))),
                energy_j=Quantity.absent("J", "given for the run as a whole"),
            )
        ],
        metrics={
            "step_time_s": step_s,
            "tokens_per_s": _per_step_time(tokens / steps, step_s, "1/s"),
            "model_flop_per_s": _per_step_time(model_flop / steps, step_s, "FLOP/s"),
            "mfu": _per_step_time(
                model_flop / steps / (chips * found.peak_flop_per_s), step_s, "1"
            ),
            "chip_power_w": found.chip_power_w,
        },
        shape=shape.as_dict(),
        scenario=scenario.model_dump(mode="json", exclude_none=True),
        labels={"basis": "predicted", **scenario.labels(), "chip": found.chip},
        notes=list(found.notes),
    )


def _parts(work: dict[str, float], found: StepEstimate, steps: float, energy: Term) -> list[Part]:
    """Time and FLOP by part over the whole run; joules in proportion to the time."""
    step_s = sum(seconds.numbers()[0] for seconds in found.seconds.values())
    parts = []
    for name in dict.fromkeys([*found.seconds, *work, *found.executed_flop]):
        seconds = found.seconds.get(name)
        executed = found.executed_flop.get(name)
        parts.append(
            Part(
                name=name,
                model_flop=_flop(work[name], "energy.flops") if name in work else None,
                executed_flop=_flop(executed * steps, "simulator.physics.step")
                if executed
                else None,
                time_s=seconds.scaled(steps) if seconds else None,
                energy_j=energy.quantity.scaled(seconds.numbers()[0] / step_s)
                if seconds and step_s
                else None,
            )
        )
    return parts


def _per_step_time(amount: float, step_s: Quantity, unit: str) -> Quantity:
    """An amount of one step as a rate."""
    value, low, high = step_s.numbers()
    return Quantity(
        value=amount / value,
        low=amount / high,
        high=amount / low,
        unit=unit,
        origin=step_s.origin,
        source="amount of a step / step time",
        coverage=step_s.coverage,
    )


def _counted(parts: dict[str, shapes.Number]) -> Quantity:
    return Quantity.exact(float(shapes.total(parts)), "1", "energy.shape: counted from the shape")


def _flop(count: float, source: str) -> Quantity:
    return Quantity.exact(count, "FLOP", source, Origin.MODELLED)


def of_run(scenario: Scenario) -> dict[str, Term]:
    """What a predicted run takes, by the names of budgets, in SI units."""
    found, chips = predict(scenario), scenario.hardware.count
    record, at = found.record, found.boundary
    (co2,) = found.trees()
    return {
        "days": found.elapsed,
        "mwh": derivation.facility(found.energy, at, record),
        "mw": derivation.power(chips, at, record),
        "usd": derivation.money(chips, found.elapsed, found.energy, at, record),
        "co2": co2,
    }
