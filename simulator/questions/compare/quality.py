"""Runs compared at equal quality: tokens are chosen so that a law of loss gives one loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from energy.arithmetic import multiply
from energy.errors import InputError
from energy.quantity import Quantity
from energy.record import RunRecord
from simulator.quality.laws import DEFAULT_LAW, law, outside_factor
from simulator.quality.match import Match, _tokens, match
from simulator.questions.compare.ratio import Ratio, decompose
from simulator.runs.sides import Basis, Side, sides
from simulator.scenarios.scenario import Scenario
from simulator.scenarios.variants import lengthened


@dataclass(frozen=True)
class EqualQuality:
    """Runs of equal loss.

    Attributes:
        sides: the runs, each later one as long as the law says, with the laws' spread.
        ratios: of each later run to the first, with that spread.
        matches: how long each later run became, and by which law.
    """

    sides: list[Side]
    ratios: list[Ratio]
    matches: list[Match]


def held_equal(
    found: Sequence[Scenario | RunRecord],
    basis: Basis,
    accounting: str | None,
    law_name: str | None,
) -> EqualQuality:
    """The runs to compare, each as long as it takes to have the loss of the first.

    Raises:
        InputError: a run is a record, or there is no such law.
        InfeasibleError: by that law a run never has the loss of the first.
    """
    scenarios = [one for one in found if isinstance(one, Scenario)]
    if len(scenarios) != len(found):
        raise InputError("expected scenarios with --equal", "a record", "a record cannot be scaled")
    central = law(law_name or DEFAULT_LAW)
    matches = [match(scenarios[0], scenario, central) for scenario in scenarios[1:]]
    matched = [scenarios[0]] + [
        lengthened(scenario, one.tokens.numbers()[0] / _tokens(scenario))
        for scenario, one in zip(scenarios[1:], matches, strict=True)
    ]
    there = sides(matched, basis, accounting)
    ratios = [
        _widened(decompose(there[0], side, mixed=accounting is not None), one.spread)
        for side, one in zip(there[1:], matches, strict=True)
    ]
    shown = [there[0]] + [
        replace(side, record=_spread(side.record, one))
        for side, one in zip(there[1:], matches, strict=True)
    ]
    return EqualQuality(shown, ratios, matches)


def cautions(found: EqualQuality) -> list[str]:
    """What a reader must know before quoting a comparison at equal loss."""
    told = [
        "loss is not skill, and laws of loss are of one corpus and tokeniser: a run on other text "
        "may score differently at the same loss"
    ]
    for one in found.matches:
        if one.never:
            told.append(
                f"by {', '.join(one.never)} no number of tokens brings {one.name} to that "
                "loss: the upper end of its band is not a limit"
            )
        if one.decades_outside:
            told.append(
                f"{one.name}: {one.decades_outside:.1f} decades outside what the law was "
                f"fitted to; the band is {outside_factor(one.decades_outside):.2g} times "
                "wider each way for it"
            )
    return told


def _widened(ratio: Ratio, spread: Quantity) -> Ratio:
    """The ratio with the spread of the tokens in what goes with them."""
    return replace(
        ratio,
        model=_times(ratio.model, spread),
        energy=_times(ratio.energy, spread),
        co2=_times(ratio.co2, spread),
    )


def _spread(record: RunRecord, found: Match) -> RunRecord:
    """The record with the spread of its tokens in everything that goes with them."""
    spread = found.spread
    names = (
        "model_flop",
        "executed_flop",
        "elapsed_s",
        "chip_s",
        "co2_location_g",
        "co2_market_g",
        "co2_embodied_g",
        "water_l",
        "cost_usd",
    )
    changed = {name: _times(getattr(record, name), spread) for name in names}
    totals = {place: _times(joules, spread) for place, joules in record.totals.items()}
    return record.model_copy(update={**changed, "totals": totals, "tokens": found.tokens})


def _times(quantity: Quantity, spread: Quantity) -> Quantity:
    """A quantity with a wider band and its own value and source."""
    if quantity.value is None:
        return quantity
    wider = multiply(quantity, spread, quantity.unit)
    return wider.model_copy(update={"value": quantity.value, "source": quantity.source})
