"""Cells of a search: one model on so many of one chip at one place, with every plan that fits.

Every model takes the run of the scenario (tokens, batch, goodput, prices) to every chip, count and
place, and every plan that is possible there is predicted (`simulator.questions.sweep.search`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from energy.quantity import Quantity
from simulator.physics.plan import AXES, Plan, in_words
from simulator.plans.evaluate import Evaluation
from simulator.runs.estimate import estimate
from simulator.runs.predict import Prediction, predict
from simulator.runs.setup import Setup
from simulator.runs.spend import Spend, spend_of
from simulator.scenarios.request import several
from simulator.scenarios.scenario import Scenario
from simulator.scenarios.variants import planned
from simulator.terms import Term

Array = NDArray[np.float64]
MEASURES = {"weeks": "wk", "mwh": "MWh", "co2": "t", "usd": "USD", "mw": "MW"}
"""What a plan takes, with its unit: the facility's joules and mean watts, CO2e of the grid."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One model on so many of one chip at one place.

    Attributes:
        setup: of the scenario with this model, chip, count and place.
        place: where it stands, in words.
        evaluation: plans that fit in memory, all of them or those that were kept.
        costs: (plans, 5) by `MEASURES`; not a number where nothing has a price.
        feasible: plans that fit in memory.
    """

    setup: Setup
    place: str
    evaluation: Evaluation
    costs: Array
    feasible: int

    @property
    def scenario(self) -> Scenario:
        """With this model, chip, count and place, and no plan of its own yet."""
        return self.setup.scenario

    @property
    def model(self) -> str:
        """Its name."""
        return self.scenario.name

    @property
    def sparse(self) -> bool:
        """Whether the model is a mixture of experts."""
        return bool(float(self.setup.shape.n_moe_layers))

    @property
    def considered(self) -> int:
        """Plans that were predicted."""
        return self.evaluation.considered

    @property
    def unmeasured(self) -> bool:
        """Whether nobody is known to have measured this kind of model on this chip."""
        return self.setup.fitted_rows == 0

    @property
    def measured(self) -> str:
        """Fitted rows of this kind of model on this chip, in words."""
        rows = self.setup.fitted_rows
        return "" if rows is None else f"{rows:,}" if rows else "none"

    def take(self, index: NDArray[np.int64]) -> Cell:
        """The same cell with some of its plans."""
        return replace(self, evaluation=self.evaluation.take(index), costs=self.costs[index])


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """One plan of a cell.

    Attributes:
        cell: model, chip, count and place.
        index: of the plan among those of the cell.
    """

    cell: Cell
    index: int

    @cached_property
    def plan(self) -> Plan:
        """How the model is spread over the chips."""
        return self.cell.evaluation.plan(self.index)

    @property
    def scenario(self) -> Scenario:
        """The run of the cell with this plan."""
        return planned(self.cell.scenario, self.plan)

    @cached_property
    def prediction(self) -> Prediction:
        """What it takes with bands."""
        return predict(estimate(self.cell.setup, self.plan))

    @cached_property
    def spend(self) -> Spend:
        """The same against budgets."""
        return spend_of(self.prediction)

    @property
    def quantities(self) -> dict[str, Quantity]:
        """What it takes by the names of `MEASURES`, with bands."""
        known = self.spend.by_budget()
        return {
            "weeks": known["days"].scaled(1 / 7, "wk"),
            **{name: known[name] for name in MEASURES if name != "weeks"},
        }

    def where(self) -> dict[str, Any]:
        """Model, chips and place by the names that scripts rely on."""
        hardware = self.cell.scenario.hardware
        return {
            "model": self.cell.model,
            "kind": "moe" if self.cell.sparse else "dense",
            "chip": hardware.chip,
            "chips": hardware.count,
            "measured_rows": self.cell.setup.fitted_rows,
            "place": self.cell.place,
        }

    def degrees(self) -> dict[str, Any]:
        """The plan by the names of its axes."""
        return {name: getattr(self.plan, name) for name in AXES}

    def terms(self) -> tuple[Term, ...]:
        """How its CO2e came about, down to the parts of a step; then its power, then dollars."""
        terms = self.prediction.terms_by_budget()
        return terms["co2"], terms["mw"], terms["usd"]

    @property
    def plan_words(self) -> str:
        """The plan as a person writes it."""
        return in_words(self.plan)


@dataclass(frozen=True, kw_only=True)
class Choices:
    """Where the models of a search may run.

    Attributes:
        chips: of the catalog; the scenario's without any.
        counts: of chips; the scenario's without any.
        places: grid zones or data centers; the scenario's site without any.
        prices: rows of the table of prices, each for its chip, or electricity for all.
        chip_price: dollars an hour of every chip that no row is of.
        batches: sequences of a step; the scenario's without any.
    """

    chips: Sequence[str] = ()
    counts: Sequence[int] = ()
    places: Sequence[str] = ()
    prices: Sequence[str] = ()
    chip_price: float | None = None
    batches: Sequence[int] = ()

    @classmethod
    def of(
        cls,
        chip: str | Sequence[str],
        chips: int | Sequence[int],
        region: str | Sequence[str],
        price: str | Sequence[str],
        chip_price: float | None = None,
        batch: int | Sequence[int] = (),
    ) -> Self:
        """The choices of a question, each of which may be named alone."""
        return cls(
            chips=several(chip),
            counts=several(chips),
            places=several(region),
            prices=several(price),
            chip_price=chip_price,
            batches=several(batch),
        )
