"""What a run uses: by prediction, by what was published, or at a utilization."""

from __future__ import annotations

from dataclasses import dataclass, field

from energy.errors import InputError
from simulator.runs.assumed import left_open
from simulator.runs.predict import Prediction
from simulator.runs.sides import choose_basis
from simulator.runs.spend import (
    NAMES,
    Predicted,
    Spend,
    Spending,
    Utilized,
    at_utilization,
    published,
    spend_of,
)
from simulator.scenarios.scenario import Scenario
from simulator.terms import Term


@dataclass(kw_only=True)
class Method:
    """How the spending of the runs of one model is computed.

    Attributes:
        basis: predicted, published, or auto: published where the run was.
        mfu: instead of a basis, model FLOP over the peak of the chips.
        watts: with `mfu`, of a chip; the catalog's mean without it.
        predicted: keeps the estimated step, so that a run that only gets longer reuses it.
    """

    basis: str
    mfu: float | None = None
    watts: float | None = None
    predicted: Predicted = field(default_factory=Predicted)
    _last: Spent | None = None

    def spent(self, scenario: Scenario) -> Spent:
        """What a scenario uses; the last scenario is not computed again."""
        if self._last is None or self._last.scenario != scenario:
            self._last = Spent.of(scenario, self.spending(scenario)[0])
        return self._last

    def spending(self, scenario: Scenario) -> tuple[Spending, str]:
        """The spending of a scenario and of longer or larger ones, and its source in words.

        Raises:
            InputError: watts without a utilization, or a number out of its range.
            MissingDataError: nothing was published of the scenario, or its chip is unknown.
        """
        if self.mfu is not None:
            words = f"a utilization of {self.mfu:g}, as requested"
            return at_utilization(scenario, self.mfu, self.watts), words
        if self.watts is not None:
            raise InputError("expected --watts with --mfu", f"{self.watts:g}")
        if choose_basis([scenario], self.basis) == "published":
            words = f"the rate and the watts that were published of {scenario.name}"
            return published(scenario), words
        return self.predicted, "the prediction"


@dataclass(frozen=True)
class Spent:
    """A run and what it uses.

    Attributes:
        scenario: the run.
        spend: what it uses.
        prediction: the source of `spend`; None if it was not predicted.
        left_open: what was assumed of it, in a line.
    """

    scenario: Scenario
    spend: Spend
    prediction: Prediction | None = None
    left_open: str = ""

    @classmethod
    def of(cls, scenario: Scenario, spending: Spending) -> Spent:
        """What a scenario uses, with the prediction where that is the source."""
        if isinstance(spending, Predicted):
            prediction = spending.prediction(scenario)
            line = left_open(prediction.estimate)
            return cls(scenario, spend_of(prediction), prediction, line)
        line = spending.left_open(scenario) if isinstance(spending, Utilized) else ""
        return cls(scenario, spending(scenario), left_open=line)

    @property
    def tokens(self) -> float:
        """Tokens of the run."""
        return self.scenario.tokens

    def terms(self) -> dict[str, Term]:
        """How each amount came about, by the names of budgets."""
        if self.prediction is not None:
            return self.prediction.terms_by_budget()
        return {
            name: Term(NAMES[name], quantity) for name, quantity in self.spend.by_budget().items()
        }
