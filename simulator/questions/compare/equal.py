"""Holding something equal: each later run is lengthened or shortened until it matches the first.

FLOP, joules and elapsed time of a run are proportional to its tokens at a fixed model, plan,
machine and site, so one evaluation of each run is enough.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from energy.errors import InputError, MissingDataError, nearest
from energy.quantity import Quantity
from energy.record import RunRecord
from simulator.runs.sides import Basis, Side, sides
from simulator.scenarios.scenario import Scenario
from simulator.scenarios.variants import lengthened

MEASURES: dict[str, Callable[[Side], Quantity]] = {
    "tokens": lambda side: side.record.tokens,
    "flop": lambda side: side.record.model_flop,
    "energy": lambda side: side.facility_j,
    "time": lambda side: side.record.elapsed_s,
}


def match(scenarios: Sequence[Scenario], sides: Sequence[Side], what: str) -> list[Scenario]:
    """The scenarios with the tokens at which each spends as much as the first.

    GLaM 64B/64E (600B tokens) and GPT-3 at equal FLOP: GPT-3 reads 331B tokens, not 300B.

    Raises:
        InputError: `what` is not tokens, flop, energy or time.
        MissingDataError: a run does not give that number.
    """
    if what not in MEASURES:
        known = (*MEASURES, "quality")
        raise InputError("expected --equal with a measure", what, nearest(what, known))
    spent = []
    for side in sides:
        quantity = MEASURES[what](side)
        if not quantity.value:
            raise MissingDataError(f"expected the {what} of {side.name}", quantity.source)
        spent.append(quantity.value)
    return [scenarios[0]] + [
        lengthened(scenario, spent[0] / own)
        for scenario, own in zip(scenarios[1:], spent[1:], strict=True)
    ]


def held_equal(
    found: Sequence[Scenario | RunRecord], basis: Basis, accounting: str | None, what: str
) -> list[Side]:
    """The runs to compare, each as long as it takes to match the first in `what`.

    Raises:
        InputError: a run is a record, whose length is what it was.
    """
    scenarios = [one for one in found if isinstance(one, Scenario)]
    if len(scenarios) != len(found):
        raise InputError("expected scenarios with --equal", "a record", "a record cannot be scaled")
    matched = match(scenarios, sides(scenarios, basis, accounting), what)
    return sides(matched, basis, accounting)
