"""A run as it was chosen, and the dense twin of its model, each predicted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from energy.quantity import Boundary, Quantity
from energy.record import RunRecord
from energy.units import significant
from simulator.runs.measured import calibrated
from simulator.runs.predict import Prediction, predict
from simulator.scenarios.request import scenario_of
from simulator.scenarios.scenario import Scenario
from simulator.scenarios.variants import dense_twin
from simulator.scenarios.what_if import WhatIf


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What the run takes, and its dense twin.

    Attributes:
        chosen: the question.
        own: the run.
        twin: the same with the dense model of the same active parameters; None of a dense model.
    """

    chosen: WhatIf
    own: Prediction
    twin: Prediction | None

    @property
    def both(self) -> list[Prediction]:
        """The run, and its twin where it has one."""
        return [self.own] if self.twin is None else [self.own, self.twin]

    @property
    def scenarios(self) -> list[Scenario]:
        """Of both; with a measured row, as other runs of the cluster know it."""
        return [each.setup.scenario for each in self.both]

    @property
    def headline(self) -> str:
        """The answer in a sentence."""
        spent = [figure.human() for figure in figures(self.own.record).values()]
        known = ", ".join(words for words in spent if words != "missing")
        if self.twin is None:
            return f"{known}: {self.chosen.model} is dense"
        joules = [each.record.joules_at(Boundary.FACILITY).value for each in self.both]
        if joules[0] is None or not joules[1]:
            return known
        ratio = significant(joules[0] / joules[1], 2)
        return f"{known}: {ratio} times the energy of its dense twin"


def what_if(chosen: WhatIf, folder: Path) -> Answered:
    """Predict a run and its dense twin.

    Args:
        chosen: the run.
        folder: where the constants are kept that a measured row scales for the twin.

    Raises:
        InputError: a name or a value is not valid.
        InfeasibleError: no plan is possible, or none fits in memory.
        MissingDataError: a fact that the prediction needs is not known.
    """
    scenario = chosen.scenario()
    if not chosen.measured:
        own, kept = predict(scenario), scenario
    else:
        constants = folder / "cluster.json"
        own = calibrated(scenario, chosen.measured, constants)
        kept = scenario_of(scenario, overrides={"hardware.constants": str(constants)})
    twin = dense_twin(kept)
    return Answered(chosen=chosen, own=own, twin=None if twin is None else predict(twin))


FIGURES = ("time", "facility energy", "CO2e, gross", "dollars")
"""What is shown of each model, in this order."""


def figures(record: RunRecord) -> dict[str, Quantity]:
    """Those quantities of a record."""
    known: Sequence[Quantity] = (
        record.elapsed_s,
        record.joules_at(Boundary.FACILITY),
        record.co2_location_g,
        record.cost_usd,
    )
    return dict(zip(FIGURES, known, strict=True))
