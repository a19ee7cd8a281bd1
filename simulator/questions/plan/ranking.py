"""The ranking of `simulator plan`: the best plan by the measure, and those shown beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.physics.phases import phases
from simulator.physics.plan import Plan, in_words
from simulator.plans.evaluate import Evaluation
from simulator.plans.space import joined
from simulator.questions.plan.search import Array, PlanSearch
from simulator.runs.estimate import Estimate, estimates
from simulator.runs.predict import Prediction, predict
from simulator.runs.spend import Spend, spend_of

DEGREES = ("tp", "pp", "cp", "ep", "etp")
CHOICES = ("tp", "pp", "vp", "cp", "ep", "etp", "zero", "micro_batch", "recompute")
"""Axes for which the best plan with another choice is shown; shards and sequence parallelism cost
little."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """One plan and what it takes.

    Attributes:
        estimate: one step by the plan.
        seconds: of a step by the phases of `simulator.physics.phases`; their sum is the step.
        needs_bytes: of the fullest chip.
        worse: its measure over that of the best, less 1.
        freed: share of its measure that its degrees would save if memory were unlimited.
    """

    estimate: Estimate
    seconds: dict[str, float]
    needs_bytes: float
    worse: float
    freed: float

    @property
    def plan(self) -> Plan:
        """The plan."""
        return self.estimate.plan

    @property
    def chip_w(self) -> float:
        """Mean watts of a chip."""
        return self.estimate.chip_w

    @property
    def step_s(self) -> float:
        """Seconds of a step."""
        return sum(self.seconds.values())

    @property
    def words(self) -> str:
        """The plan as a person writes it."""
        return in_words(self.plan)

    @cached_property
    def prediction(self) -> Prediction:
        """What `simulator predict` says of it."""
        return predict(self.estimate)

    @cached_property
    def spend(self) -> Spend:
        """What the whole run takes."""
        return spend_of(self.prediction)

    def against(self, best: Option) -> dict[str, float]:
        """Seconds more than the best by phase; they sum to the difference of the steps."""
        names = [*best.seconds, *(name for name in self.seconds if name not in best.seconds)]
        return {name: self.seconds.get(name, 0.0) - best.seconds.get(name, 0.0) for name in names}

    def why(self, best: Option) -> str:
        """Which phases cost it most against the best, and which give some of it back."""
        gaps = self.against(best)
        phases = sorted(gaps, key=lambda name: -abs(gaps[name]))
        reasons = [
            f"{name} {gaps[name]:+.3g} s"
            for name in phases
            if abs(gaps[name]) >= 0.001 * best.step_s
        ]
        if abs(watts := self.chip_w - best.chip_w) >= 0.01 * best.chip_w:
            reasons.append(f"{watts:+.3g} W per chip")
        return ", ".join(reasons) or "no phase by 0.1% of the step"


@dataclass(frozen=True)
class Ranking:
    """Plans that fit, with the measure of each.

    Attributes:
        search: that they are of.
        evaluation: the plans.
        measure: of each.
    """

    search: PlanSearch
    evaluation: Evaluation
    measure: Array

    @property
    def least(self) -> float:
        """The measure of the best."""
        return float(np.min(self.measure))

    def best_of_other_degrees(self, count: int) -> list[int]:
        """Indices of the best, and of the best of each next set of degrees."""
        left, picked = np.array(self.measure, float), list[int]()
        while len(picked) < count and np.isfinite(left).any():
            index = int(np.argmin(left))
            picked.append(index)
            alike: NDArray[np.bool_] = np.ones(len(left), dtype=bool)
            for name in DEGREES:
                column = np.asarray(getattr(self.evaluation.plans, name))
                alike &= column == column[index]
            left[alike] = np.inf
        return picked

    def best_of_other_choices(self) -> dict[int, tuple[str, ...]]:
        """Indices of the best plans with another choice of one axis than the best, and the axes."""
        best = int(np.argmin(self.measure))
        picked: dict[int, tuple[str, ...]] = {}
        for name in CHOICES:
            column = np.asarray(getattr(self.evaluation.plans, name))
            others = np.where(column != column[best], self.measure, np.inf)
            index = int(np.argmin(others))
            if np.isfinite(others[index]):
                picked[index] = (*picked.get(index, ()), name)
        return dict(sorted(picked.items(), key=lambda item: float(self.measure[item[0]])))

    def options(self, indices: Sequence[int], least: float | None = None) -> dict[int, Option]:
        """Plans with their phases and the runs that they would make, by their indices.

        Args:
            indices: of the plans.
            least: the measure to compare with; that of the best of these without it.
        """
        steps = estimates(self.search.setup, self.evaluation.plans, indices)
        unlimited = self._unlimited([_degrees(step.plan) for step in steps])
        least = self.least if least is None else least
        return {
            index: Option(
                estimate=step,
                seconds=phases(step.step),
                needs_bytes=float(self.evaluation.needs_bytes[index]),
                worse=float(self.measure[index]) / least - 1,
                freed=1 - unlimited[_degrees(step.plan)] / float(self.measure[index]),
            )
            for index, step in zip(indices, steps, strict=True)
        }

    def _unlimited(self, degrees: Sequence[tuple[Any, ...]]) -> dict[tuple[Any, ...], float]:
        """The least measure of plans with the same degrees if memory were unlimited."""
        distinct = list(dict.fromkeys(degrees))
        spaces = [self.search.space(dict(zip(DEGREES, row, strict=True))) for row in distinct]
        evaluation = self.search.evaluate(joined(spaces), limited=False)
        measure = self.search.measure(evaluation)
        columns = [np.asarray(getattr(evaluation.plans, name)) for name in DEGREES]
        least = {}
        for row in distinct:
            alike = np.all([c == v for c, v in zip(columns, row, strict=True)], axis=0)
            least[row] = float(np.min(measure[alike]))
        return least


def _degrees(plan: Plan) -> tuple[Any, ...]:
    return tuple(getattr(plan, name) for name in DEGREES)
