"""The best parallel plan of a model on some chips, and why the others lose.

Every plan of a fine space (`simulator.plans.space`) is held against the memory and predicted with
the formulas of `simulator predict`. Runners-up have other degrees than the best; each is told by
part of the step: seconds that it takes more or less than the best, which sum to the whole
difference, and what its degrees would save if memory were no limit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from energy.errors import InfeasibleError, InputError, nearest
from simulator.physics.memory import memory
from simulator.physics.phases import phases
from simulator.physics.plan import Plan, in_words
from simulator.physics.step import step
from simulator.plans.evaluate import Fitting, Found
from simulator.plans.space import Space
from simulator.published.plans import KnownPlan, known_plans
from simulator.questions.plan.relaxation import refuse
from simulator.questions.plan.search import PlanSearch
from simulator.runs import spend
from simulator.runs.predict import Prediction, predict
from simulator.runs.setup import software_of_scenario
from simulator.runs.spend import Spend
from simulator.scenarios.scenario import Scenario
from simulator.scenarios.variants import planned

Array = NDArray[np.float64]


BY = ("time", "energy", "co2", "money")


DEGREES = ("tp", "pp", "cp", "ep", "etp")


CHOICES = ("tp", "pp", "vp", "cp", "ep", "etp", "zero", "micro_batch", "recompute")
"""What is told of the best plan without it; shards and sequence parallelism cost little."""


NEAR = 0.05
"""Plans that the model does not tell apart: releases of one software differ by as much."""


OPTIMISTIC = (
    "the least of many predictions is one that errs to the fast side: try the first few "
    "on the chips before a long run"
)


@dataclass(frozen=True, kw_only=True)
class Option:
    """One plan and what it takes.

    Attributes:
        plan: the plan.
        seconds: of a step by the parts of `load_profile.PHASES`; their sum is the step.
        chip_w: mean watts of a chip.
        needs_bytes: of the fullest chip.
        worse: its measure over that of the best, less 1.
        freed: share of its measure that its degrees would save if memory were no limit.
        spend: what the whole run takes, as `simulator predict` says.
    """

    plan: Plan
    seconds: dict[str, float]
    chip_w: float
    needs_bytes: float
    worse: float
    freed: float
    spend: Spend

    @property
    def step_s(self) -> float:
        """Seconds of a step."""
        return sum(self.seconds.values())

    @property
    def words(self) -> str:
        """The plan as a person writes it."""
        return in_words(self.plan)

    def against(self, best: Option) -> dict[str, float]:
        """Seconds more than the best by part; they sum to the difference of the steps."""
        names = [*best.seconds, *(name for name in self.seconds if name not in best.seconds)]
        return {name: self.seconds.get(name, 0.0) - best.seconds.get(name, 0.0) for name in names}

    def why(self, best: Option) -> str:
        """Which parts cost it most against the best, and which give some of it back."""
        gaps = self.against(best)
        parts = sorted(gaps, key=lambda name: -abs(gaps[name]))
        told = [
            f"{name} {gaps[name]:+.3g} s"
            for name in parts
            if abs(gaps[name]) >= 0.001 * best.step_s
        ]
        if abs(watts := self.chip_w - best.chip_w) >= 0.01 * best.chip_w:
            told.append(f"{watts:+.3g} W a chip")
        return ", ".join(told) or "no part by 0.1% of the step"


@dataclass(frozen=True, kw_only=True)
class Published:
    """A published plan, held against the best.

    Attributes:
        known: what its source says.
        option: the best plan that agrees with it; None if none fits.
        searched: plans that agree with it.
        reason: why none fits, or empty.
    """

    known: KnownPlan
    option: Option | None
    searched: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Planned:
    """The answer.

    Attributes:
        scenario: with chips, place and tokens, and no plan but what it gave.
        by: what is least.
        best: the plan of the least.
        runners_up: the best of other degrees, the least first.
        changed: the best plans with another choice of one axis, with the axes that each answers.
        published: plans of others for this model on these chips.
        space: what was searched.
        fit: what fits of it.
        near: plans within `NEAR` of the best.
        limit_bytes: memory of a chip.
        relative: relative 80 % band of a step's time.
        notes: what a reader must know.
    """

    scenario: Scenario
    by: str
    best: Option
    runners_up: list[Option]
    changed: list[tuple[tuple[str, ...], Option]]
    published: list[Published]
    space: Space
    fit: Fitting
    near: int
    limit_bytes: float
    relative: tuple[float, float]
    notes: tuple[str, ...]

    @property
    def drawn(self) -> list[tuple[str, Option]]:
        """The best, runners-up and published plans that fit, each with its name."""
        rows = [("best", self.best)]
        rows += [(str(number), option) for number, option in enumerate(self.runners_up, 2)]
        return rows + [
            (f"published, {one.known.name}", one.option)
            for one in self.published
            if one.option is not None
        ]

    @property
    def planned(self) -> Scenario:
        """The scenario with the best plan written down; what was published is not of this run."""
        words = f"the plan of the least {self.by} of {self.fit.searched:,}, by simulator plan"
        told = {"description": words, "published": None}
        return planned(self.scenario, self.best.plan).model_copy(update=told)

    @cached_property
    def prediction(self) -> Prediction:
        """What `simulator predict` says of it."""
        return predict(self.planned)


def best_plans(
    scenario: Scenario,
    by: str = "time",
    count: int = 5,
    told: Callable[[int], None] = lambda _: None,
    notes: Sequence[str] = (),
) -> Planned:
    """The best plan of a scenario by a measure, runners-up, and what was published.

    Args:
        scenario: model, chips, place and run; what its [plan] says is kept.
        by: time, energy, co2 or money.
        count: runners-up.
        told: called with the number of plans that are done.
        notes: what was assumed for the scenario.

    Raises:
        InputError: another measure, or a calibrated machine in place of chips.
        InfeasibleError: no plan is possible, or none fits; with the least relaxation.
        MissingDataError: watts or a price that the measure needs are not known.
    """
    if by not in BY:
        raise InputError("expected --by", by, nearest(by, BY))
    if scenario.hardware.machine is not None:
        raise InputError(
            "expected chips of the catalog", "a calibrated machine", "name one: --chip h100"
        )
    asked = PlanSearch(scenario, by)
    plans = asked.space()
    fit = asked.fitting(plans, told)
    if not len(fit.found):
        refuse(asked, fit)
    measure = asked.measure(fit.found)
    order, without = _others(fit.found, measure, count + 1), _without(fit.found, measure)
    least = float(measure[order[0]])
    options = {
        index: _option(asked, fit.found, index, least)
        for index in dict.fromkeys([*order, *without])
    }
    hardware, _, constants = asked.machine
    return Planned(
        scenario=scenario,
        by=by,
        best=options[order[0]],
        runners_up=[options[index] for index in order[1:]],
        changed=[(axes, options[index]) for index, axes in without.items()],
        space=plans,
        fit=fit,
        published=[
            _published(asked, known, least)
            for known in known_plans(asked.shape, hardware.name, scenario.hardware.count)
        ],
        near=int(np.sum(measure <= (1 + NEAR) * least)),
        limit_bytes=float(hardware.memory_bytes),
        relative=hardware.time_relative,
        notes=(*notes, *constants, OPTIMISTIC),
    )


def _others(found: Found, measure: Array, count: int) -> list[int]:
    """The best, and the best of each next set of degrees."""
    left, picked = np.array(measure, float), list[int]()
    while len(picked) < count and np.isfinite(left).any():
        index = int(np.argmin(left))
        picked.append(index)
        alike = np.ones(len(left), dtype=bool)
        for name in DEGREES:
            column = np.asarray(getattr(found.plans, name))
            alike &= column == column[index]
        left[alike] = np.inf
    return picked


def _without(found: Found, measure: Array) -> dict[int, tuple[str, ...]]:
    """The best plans with another choice of one axis than the best, and those axes."""
    best = int(np.argmin(measure))
    picked: dict[int, tuple[str, ...]] = {}
    for name in CHOICES:
        column = np.asarray(getattr(found.plans, name))
        others = np.where(column != column[best], measure, np.inf)
        index = int(np.argmin(others))
        if np.isfinite(others[index]):
            picked[index] = (*picked.get(index, ()), name)
    return dict(sorted(picked.items(), key=lambda item: float(measure[item[0]])))


def _option(asked: PlanSearch, found: Found, index: int, least: float) -> Option:
    """A plan that was found, with its parts and the run that it would make."""
    plan, (hardware, constants, _) = found.one(index), asked.machine
    own = float(asked.measure(found)[index])
    free = asked.fitting(asked.space({name: getattr(plan, name) for name in DEGREES}), limit=False)
    return Option(
        plan=plan,
        seconds=phases(step(asked.shape, plan, hardware, constants)),
        chip_w=float(found.chip_w[index]),
        needs_bytes=float(found.needs_bytes[index]),
        worse=own / least - 1,
        freed=1 - float(np.min(asked.measure(free.found))) / own,
        spend=spend.predicted(planned(asked.scenario, plan)),
    )


def _published(asked: PlanSearch, known: KnownPlan, least: float) -> Published:
    """A published plan: the best of those that agree with it."""
    ran = software_of_scenario(asked.scenario).name
    if known.software != ran:
        words = f"ran with software {known.software}, laid here with {ran}"
        known = replace(known, notes="; ".join(filter(None, (known.notes, words))))
    try:
        fit = asked.fitting(asked.space(known.usual | known.fields))
    except InfeasibleError as error:
        return Published(known=known, option=None, searched=0, reason=str(error))
    if not len(fit.found):
        reason = memory(asked.shape, fit.leanest, asked.machine[0]).reason()
        return Published(known=known, option=None, searched=fit.searched, reason=reason)
    index = int(np.argmin(asked.measure(fit.found)))
    option = _option(asked, fit.found, index, least)
    return Published(known=known, option=option, searched=fit.searched, reason="")
