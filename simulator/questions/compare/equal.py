"""Runs of equal length in some measure: each later run gets the tokens that match the first.

FLOP, joules and elapsed time of a run are proportional to its tokens at a fixed model, plan,
machine and site, so the length follows from one evaluation of each run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from energy.errors import InputError, MissingDataError, require_choice
from energy.quantity import Quantity
from simulator.runs.sides import Basis, Run, Side, aligned, side_of
from simulator.runs.spend import Predicted
from simulator.scenarios.scenario import Scenario
from simulator.scenarios.variants import lengthened

MEASURES: dict[str, Callable[[Side], Quantity]] = {
    "tokens": lambda side: side.record.tokens,
    "flop": lambda side: side.record.model_flop,
    "energy": lambda side: side.facility_j,
    "time": lambda side: side.record.elapsed_s,
}


def sides_at_equal(
    runs: Sequence[Run], basis: Basis, accounting: str | None, measure: str
) -> list[Side]:
    """The runs to compare, each as long as it takes to match the first in a measure.

    GLaM 64B/64E (600B tokens) and GPT-3 at equal FLOP: GPT-3 reads 331B tokens, not 300B.

    Args:
        runs: scenarios.
        basis: what they are compared by.
        accounting: of their CO2e.
        measure: tokens, flop, energy or time.

    Raises:
        InputError: a run is a record, or the measure is not one of the four.
        MissingDataError: a run does not give that number.
    """
    scenarios = scalable(runs)
    require_choice("--equal", measure, (*MEASURES, "quality"))
    # One for each run: its step is the same at every length and is estimated once.
    predicted = [Predicted() for _ in scenarios]
    own = aligned(
        [
            side_of(scenario, basis, accounting, each.prediction)
            for scenario, each in zip(scenarios, predicted, strict=True)
        ]
    )
    amounts = [_amount(side, measure) for side in own]
    matched = [own[0]]
    for scenario, each, amount in zip(scenarios[1:], predicted[1:], amounts[1:], strict=True):
        longer = lengthened(scenario, amounts[0] / amount)
        matched.append(side_of(longer, basis, accounting, each.prediction))
    return aligned(matched)


def scalable(runs: Sequence[Run]) -> list[Scenario]:
    """The runs as scenarios.

    Raises:
        InputError: a run is a record, whose length is what it was.
    """
    scenarios = [run for run in runs if isinstance(run, Scenario)]
    if len(scenarios) != len(runs):
        raise InputError("expected scenarios with --equal", "a record", "a record cannot be scaled")
    return scenarios


def _amount(side: Side, measure: str) -> float:
    quantity = MEASURES[measure](side)
    if not quantity.value:
        raise MissingDataError(f"expected the {measure} of {side.name}", str(quantity))
    return quantity.value
