"""A scenario becomes a predicted RunRecord, with the terms that its numbers were computed from.

elapsed = steps x step time / goodput; joules = chips x watts per chip x elapsed, idle and restarts
included; then the same account of facility, carbon, water and cost as for a measured run.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from energy import shape as shapes
from energy.errors import InputError
from energy.flops import Convention
from energy.footprint.apply import at_site
from energy.quantity import Boundary, Origin, Quantity
from energy.record import EnergyEntry, Kind, Part, RunRecord, Window, nothing_wasted, totals
from simulator.physics.plan import Plan
from simulator.runs import terms
from simulator.runs.assumed import left_open
from simulator.runs.estimate import COUNTED, PASSES, Estimate, estimate
from simulator.runs.setup import Setup
from simulator.scenarios.scenario import Scenario
from simulator.terms import Term, product, total


@dataclass(frozen=True)
class Prediction:
    """A predicted record and how it came about.

    Attributes:
        estimate: one step of the run.
        record: the run as predicted.
        elapsed: derivation of the wall clock.
        energy: derivation of the joules at `boundary`.
    """

    estimate: Estimate
    record: RunRecord
    elapsed: Term
    energy: Term

    @property
    def setup(self) -> Setup:
        """The scenario, resolved."""
        return self.estimate.setup

    @property
    def boundary(self) -> Boundary:
        """Of the watts that the joules were computed from."""
        return self.estimate.boundary

    @cached_property
    def account(self) -> terms.Derivation:
        """How joules became grams and dollars, and the mean watts of the facility."""
        return terms.derivation(
            self.record, self.boundary, self.setup.chips, self.elapsed, self.energy
        )

    def co2_term(self, accounting: str = "location") -> Term:
        """How CO2e came about, down to the parts of a step: what `--explain` prints."""
        return self.account.co2(accounting)

    def terms_by_budget(self) -> dict[str, Term]:
        """What the run takes, by the names of budgets, in SI units."""
        return {
            "days": self.elapsed,
            "mwh": self.account.facility_j,
            "mw": self.account.facility_w,
            "usd": self.account.cost_usd,
            "co2": self.account.co2("location"),
        }


def predict(scenario: Scenario | Setup | Estimate, plan: Plan | None = None) -> Prediction:
    """Predict what a scenario spends, from its configuration alone.

    A [published] section is not looked at: a prediction never uses what it is judged by.

    Args:
        scenario: or what was already resolved or estimated of it.
        plan: to use; without it, as `estimate` chooses.
    """
    if isinstance(scenario, Scenario):
        scenario = Setup.of(scenario)
    step = estimate(scenario, plan) if isinstance(scenario, Setup) else scenario
    elapsed = _elapsed(step)
    energy = _chip_energy(step, elapsed)
    record = at_site(_record(step, elapsed, energy), step.setup.site_at(step.chip_power_w))
    return Prediction(step, record, elapsed, energy)


def _elapsed(step: Estimate) -> Term:
    """Seconds of wall clock: steps x step time / goodput."""
    steps = Quantity.exact(step.setup.steps, "1", "scenario: tokens / tokens of a step")
    parts = [Term(name, seconds) for name, seconds in step.seconds.items()]
    return product(
        "elapsed time",
        "s",
        Term("steps", steps),
        total("step time", *parts),
        over=(Term("goodput", step.setup.goodput),),
    )


def _chip_energy(step: Estimate, elapsed: Term) -> Term:
    """Joules at the chips: chips x watts per chip x elapsed time."""
    watts = Term("watts per chip", step.chip_power_w)
    return product("chip energy", "J", terms.chips_term(step.setup.chips), watts, elapsed)


def _record(step: Estimate, elapsed: Term, energy: Term) -> RunRecord:
    """The predicted record up to the chips; the site comes after."""
    setup = step.setup
    scenario, shape, chips, name = setup.scenario, setup.shape, setup.chips, setup.hardware.name
    work = {part: flop * setup.steps for part, flop in step.model_flop().items() if flop}
    entry = EnergyEntry(
        **energy.quantity.model_dump(),
        device=f"{chips:,} x {name}",
        boundary=step.boundary,
        api="simulator: watts from what the step is doing x elapsed time",
    )
    executed = sum(step.executed_flop.values()) * setup.steps
    return RunRecord(
        name=scenario.name,
        kind=Kind.PREDICTED,
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        tokens=Quantity.exact(setup.tokens, "1", "scenario", Origin.ASSUMED),
        params_total=_counted(shapes.parameters(shape)),
        params_active=_counted(shapes.active_parameters(shape)),
        model_flop=_flop(
            sum(work.values()),
            f"{PASSES[scenario.workload.kind]}, {COUNTED[step.convention]}",
        ),
        executed_flop=_flop(executed, f"simulator.physics.step, {COUNTED[step.convention]}"),
        elapsed_s=elapsed.quantity,
        chip_s=elapsed.quantity.scaled(chips, source="chips x elapsed time"),
        energy=[entry],
        totals=totals([entry]),
        **_no_site(),
        wasted=nothing_wasted("predicted within goodput", Origin.MODELLED),
        parts=_parts(work, step, energy),
        windows=[_steps_window(step, elapsed)],
        metrics=_metrics(step, elapsed),
        shape=shape.as_dict(),
        scenario=scenario.model_dump(mode="json", exclude_none=True),
        labels={
            "basis": "predicted",
            **scenario.labels(),
            "chip": name,
            "attention_flop": step.convention,
        },
        notes=[*step.notes, *filter(None, [left_open(step)])],
    )


def _no_site() -> dict[str, Any]:
    """The fields that a site fills."""
    units = {
        "co2_location_g": "g",
        "co2_market_g": "g",
        "co2_embodied_g": "g",
        "water_l": "L",
        "cost_usd": "USD",
    }
    return {name: Quantity.absent(unit, "no site was applied") for name, unit in units.items()}


def _steps_window(step: Estimate, elapsed: Term) -> Window:
    """All steps of the run as one row of windows."""
    count = max(1, round(step.setup.steps))
    return Window(
        name="step",
        count=count,
        elapsed_s=elapsed.find("step time").quantity.scaled(count),
        energy_j=Quantity.absent("J", "given for the run as a whole"),
    )


def _metrics(step: Estimate, elapsed: Term) -> dict[str, Quantity]:
    """Rates of a step, and the mean watts of a chip; MFU as the record counts, and otherwise."""
    setup, step_s = step.setup, elapsed.find("step time").quantity
    if not setup.steps:  # below the least number that floating point has
        raise InputError("expected run.tokens of a step or more", f"{setup.tokens:g}")
    other: Convention = "full" if step.convention == "causal" else "causal"
    flop = sum(step.model_flop().values())
    return {
        "step_time_s": step_s,
        "tokens_per_s": _per_step_time(setup.tokens / setup.steps, step_s, "1/s"),
        "model_flop_per_s": _per_step_time(flop, step_s, "FLOP/s"),
        "mfu": step.mfu(),
        f"mfu_{other}": step.mfu(other),
        "hfu": step.hfu,
        "chip_power_w": step.chip_power_w,
        "memory_bytes": Quantity.exact(
            step.memory_bytes, "B", "simulator.physics.memory", Origin.MODELLED
        ),
    }


def _parts(work: dict[str, float], step: Estimate, energy: Term) -> list[Part]:
    """Time and FLOP by part over the whole run; joules in proportion to the time."""
    steps = step.setup.steps
    step_s = sum(seconds.numbers()[0] for seconds in step.seconds.values())
    parts = []
    for name in dict.fromkeys([*step.seconds, *work, *step.executed_flop]):
        seconds, executed = step.seconds.get(name), step.executed_flop.get(name)
        joules = None
        if seconds and step_s:
            joules = energy.quantity.scaled(seconds.numbers()[0] / step_s)
        parts.append(
            Part(
                name=name,
                model_flop=_flop(work[name], "energy.flops") if name in work else None,
                executed_flop=_flop(executed * steps, "simulator.physics.step")
                if executed
                else None,
                time_s=seconds.scaled(steps) if seconds else None,
                energy_j=joules,
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
    source = "energy.shape: counted from the shape"
    return Quantity.exact(float(shapes.total(parts)), "1", source, Origin.MODELLED)


def _flop(count: float, source: str) -> Quantity:
    return Quantity.exact(count, "FLOP", source, Origin.MODELLED)
