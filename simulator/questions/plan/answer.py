"""The best parallel plan of a model on some chips, and why the others lose.

Every plan of a fine space (`simulator.plans.space`) is checked against the memory and predicted
with the formulas of `simulator predict`. Runners-up have other degrees than the best; each is
compared part by part of the step: seconds more or less than the best, which sum to the whole
difference, and what its degrees would save if memory were unlimited.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from energy.errors import InfeasibleError, InputError, require_choice
from simulator.kit.answer import Answer
from simulator.physics.memory import memory
from simulator.plans.evaluate import Evaluation
from simulator.plans.space import Space
from simulator.published.plans import KnownPlan, known_plans
from simulator.questions.plan.question import Question, question
from simulator.questions.plan.ranking import Option, Ranking
from simulator.questions.plan.relaxation import refuse
from simulator.questions.plan.search import NEAR, PlanSearch
from simulator.runs.assumed import left_open
from simulator.runs.predict import Prediction
from simulator.runs.setup import Setup
from simulator.scenarios.request import Target, Tokens
from simulator.scenarios.scenario import Scenario
from simulator.scenarios.variants import planned

if TYPE_CHECKING:
    from simulator.questions.plan.launch.text import Launch

MEASURES = ("time", "energy", "co2", "money")
OPTIMISTIC = (
    "the least of many predictions is one that errs on the fast side: try the first few "
    "on the chips before a long run"
)


@dataclass(frozen=True, kw_only=True)
class PublishedPlan:
    """A published plan compared with the best.

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


@dataclass(frozen=True, kw_only=True, repr=False)
class Planned(Answer):
    """The answer of `simulator plan`.

    Attributes:
        setup: the scenario with its chips, place and tokens, and only the degrees that it gave.
        by: what is minimized.
        best: the plan of the least measure.
        runners_up: the best plans of other degrees, in order.
        changed: the best plans with another choice of one axis, with the axes that each answers.
        published: plans that others published for this model on these chips.
        space: what was searched.
        evaluation: what can be named of it, and how much fits.
        near: plans within `NEAR` of the best.
        notes: what a reader must know.
    """

    setup: Setup
    by: str
    best: Option
    runners_up: list[Option]
    changed: list[tuple[tuple[str, ...], Option]]
    published: list[PublishedPlan]
    space: Space
    evaluation: Evaluation
    near: int
    notes: tuple[str, ...]

    @property
    def scenario(self) -> Scenario:
        """The scenario of the question."""
        return self.setup.scenario

    @property
    def limit_bytes(self) -> float:
        """Memory of a chip."""
        return float(self.setup.hardware.memory_bytes)

    @property
    def spare(self) -> float:
        """Share of what a plan stores that is left for allocators and workspaces."""
        return float(self.setup.hardware.memory_margin)

    @property
    def rows(self) -> list[tuple[str, Option]]:
        """The best, runners-up and published plans that fit, each with its name."""
        rows = [("best", self.best)]
        rows += [(str(number), option) for number, option in enumerate(self.runners_up, 2)]
        return rows + [
            (f"published, {plan.known.name}", plan.option)
            for plan in self.published
            if plan.option is not None
        ]

    @property
    def prediction(self) -> Prediction:
        """What `simulator predict` says of the best."""
        return self.best.prediction

    @property
    def best_scenario(self) -> Scenario:
        """The scenario with the best plan written down, without what was published of its run."""
        description = (
            f"the plan of the least {self.by} of {self.evaluation.considered:,}, by simulator plan"
        )
        scenario = planned(self.scenario, self.best.plan)
        return scenario.model_copy(update={"description": description, "published": None})

    def launch(self, tool: str) -> Launch:
        """The best plan as a command of torchrun, megatron, torchtitan or slurm."""
        from simulator.questions.plan.launch.text import launch

        return launch(self.setup, self.best.plan, self.by, tool)

    @property
    def left_open(self) -> str:
        """What was assumed of the run."""
        return left_open(self.best.estimate)

    @property
    def panel_size(self) -> tuple[float, float]:
        """Inches of the panel: a bar a row."""
        return 9, 1.2 + 0.45 * len(self.rows)

    @property
    def headline(self) -> str:
        """The best plan."""
        hardware = self.scenario.hardware
        return f"{self.scenario.name} on {hardware.count:,} {hardware.chip}: {self.best.words}"


def plan(
    target: Target,
    *,
    chip: str | None = None,
    chips: int | None = None,
    region: str | None = None,
    tokens: Tokens | None = None,
    batch: int | None = None,
    by: str = "time",
    top: int = 5,
    price: str | None = None,
    chip_price: float | None = None,
    overrides: Mapping[str, Any] | None = None,
    on_progress: Callable[[str, int], None] | None = None,
) -> Planned:
    """Find the best parallel plan of a model on some chips, and say why the others lose.

        plan("deepseek-v3", chip="h800", chips=2048, tokens=14.8e12, batch=15360)

    Args:
        target: a preset, a model of the catalog, or the path of a scenario file.
        chip: of the catalog, instead of the scenario's.
        chips: how many.
        region: a grid zone or a data center.
        tokens: of the run.
        batch: sequences of one optimizer step.
        by: what is minimized: time, energy, co2 or money.
        top: runners-up.
        price: a row of the prices.
        chip_price: instead of a row, dollars an hour of one chip.
        overrides: other values by dotted key: {"hardware.precision": "fp8"}.
        on_progress: called with the scenario's name and the number of plans that are done.

    Raises:
        InputError: a name or a value is not valid.
        InfeasibleError: no plan is possible, or none fits; with the least relaxation.
        MissingDataError: watts or a price that the measure needs are not known.
    """
    request = question(
        target,
        chip=chip,
        chips=chips,
        region=region,
        tokens=tokens,
        batch=batch,
        price=price,
        chip_price=chip_price,
        overrides=overrides,
    )

    def show(done: int) -> None:
        if on_progress is not None:
            on_progress(request.scenario.name, done)

    return best_plans(request, by, top, show)


def best_plans(
    request: Question | Scenario,
    by: str = "time",
    count: int = 5,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Planned:
    """The best plan of a scenario by a measure, runners-up, and what was published.

    Args:
        request: the scenario, maybe with what was assumed for it; its [plan] is kept.
        by: time, energy, co2 or money.
        count: runners-up.
        on_progress: called with the number of plans that are done.

    Raises:
        InputError: an unknown measure, or a calibrated machine in place of chips.
        InfeasibleError: no plan is possible, or none fits; with the least relaxation.
        MissingDataError: watts or a price that the measure needs are not known.
    """
    if isinstance(request, Scenario):
        request = Question(request)
    scenario = request.scenario
    require_choice("--by", by, MEASURES)
    if scenario.hardware.machine is not None:
        raise InputError(
            "expected chips of the catalog", "a calibrated machine", "name them: --chip h100"
        )
    search = PlanSearch(Setup.of(scenario), by)
    space = search.space()
    evaluation = search.evaluate(space, on_progress)
    if not len(evaluation):
        refuse(search, evaluation)
    ranking = Ranking(search, evaluation, search.measure(evaluation))
    order, without = ranking.best_of_other_degrees(count + 1), ranking.best_of_other_choices()
    options = ranking.options(list(dict.fromkeys([*order, *without])))
    setup = search.setup
    return Planned(
        setup=setup,
        by=by,
        best=options[order[0]],
        runners_up=[options[index] for index in order[1:]],
        changed=[(axes, options[index]) for index, axes in without.items()],
        space=space,
        evaluation=evaluation,
        published=[
            _published(search, known, ranking.least)
            for known in known_plans(setup.shape, setup.hardware.name, setup.chips)
        ],
        near=int(np.sum(ranking.measure <= (1 + NEAR) * ranking.least)),
        notes=(*request.notes, *setup.notes, OPTIMISTIC),
    )


def _published(search: PlanSearch, known: KnownPlan, least: float) -> PublishedPlan:
    """A published plan: the best of those that agree with it."""
    software = search.setup.software
    assert software is not None, "chips of the catalog have a software"
    if known.software != software.name:
        note = f"ran with software {known.software}, predicted here with {software.name}"
        known = replace(known, notes="; ".join(filter(None, (known.notes, note))))
    try:
        evaluation = search.evaluate(search.space(known.usual | known.fields))
    except InfeasibleError as error:
        return PublishedPlan(known=known, option=None, searched=0, reason=str(error))
    searched = evaluation.considered
    if not len(evaluation):
        use = memory(search.setup.shape, evaluation.leanest, search.setup.hardware)
        return PublishedPlan(known=known, option=None, searched=searched, reason=use.reason())
    ranking = Ranking(search, evaluation, search.measure(evaluation))
    best = int(np.argmin(ranking.measure))
    option = ranking.options([best], least)[best]
    return PublishedPlan(known=known, option=option, searched=searched, reason="")
