"""Runs compared at equal quality: a law of loss gives the tokens at which they reach one loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from energy.arithmetic import multiply
from energy.quantity import Quantity
from energy.record import RunRecord
from simulator.quality.laws import DEFAULT_LAW, law, outside_factor
from simulator.quality.match import Match, match
from simulator.questions.compare.equal import scalable
from simulator.questions.compare.ratio import Ratio, decompose
from simulator.runs.sides import Basis, Run, Side, sides
from simulator.scenarios.variants import lengthened

GROW_WITH_TOKENS = (
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
"""Fields of a record that are proportional to its tokens, beside its joules."""


@dataclass(frozen=True)
class EqualLoss:
    """Runs of equal loss.

    Attributes:
        sides: the runs, each later one as long as the law says, with the spread of the laws.
        ratios: of each later run to the first, with that spread.
        matches: how long each later run became, and by which law.
    """

    sides: list[Side]
    ratios: list[Ratio]
    matches: list[Match]


def at_equal_loss(
    runs: Sequence[Run],
    basis: Basis,
    accounting: str | None,
    law_name: str | None,
    *,
    beyond_range: bool = False,
) -> EqualLoss:
    """The runs to compare, each as long as it takes to reach the loss of the first.

    Args:
        runs: scenarios.
        basis: what they are compared by.
        accounting: of their CO2e.
        law_name: of the law of loss; the default law without it.
        beyond_range: apply the law outside the range that it was fitted to.

    Raises:
        InputError: a run is a record, or there is no such law.
        InfeasibleError: by that law a run never reaches the loss of the first, or a run is outside
            the range of the law.
    """
    scenarios = scalable(runs)
    central = law(law_name or DEFAULT_LAW)
    matches = [
        match(scenarios[0], scenario, central, beyond_range=beyond_range)
        for scenario in scenarios[1:]
    ]
    matched = [scenarios[0]] + [
        lengthened(scenario, item.tokens.numbers()[0] / scenario.tokens)
        for scenario, item in zip(scenarios[1:], matches, strict=True)
    ]
    first, *later = sides(matched, basis, accounting)
    ratios = [
        _ratio_with_spread(decompose(first, side, mixed=accounting is not None), item.spread)
        for side, item in zip(later, matches, strict=True)
    ]
    spread = [
        replace(side, record=_record_with_spread(side.record, item))
        for side, item in zip(later, matches, strict=True)
    ]
    return EqualLoss([first, *spread], ratios, matches)


def loss_cautions(matches: Sequence[Match]) -> list[str]:
    """What a reader must know before quoting a comparison at equal loss; empty without matches."""
    if not matches:
        return []
    texts = [
        "loss is not skill, and laws of loss are of one corpus and tokenizer: a run on other text "
        "may score differently at the same loss"
    ]
    for item in matches:
        if item.never:
            texts.append(
                f"by {', '.join(item.never)} no number of tokens brings {item.name} to that "
                "loss: the upper end of its band is not a limit"
            )
        if item.decades_outside:
            texts.append(
                f"{item.name}: {item.decades_outside:.1f} decades outside what the law was "
                f"fitted to; the band is {outside_factor(item.decades_outside):.2g} times "
                "wider each way for it"
            )
    return texts


def _ratio_with_spread(ratio: Ratio, spread: Quantity) -> Ratio:
    """The ratio with the spread of the tokens in what is proportional to them."""
    return replace(
        ratio,
        model=_widened(ratio.model, spread),
        energy=_widened(ratio.energy, spread),
        co2=_widened(ratio.co2, spread),
    )


def _record_with_spread(record: RunRecord, item: Match) -> RunRecord:
    """The record with the spread of its tokens in everything that is proportional to them."""
    spread = item.spread
    fields = {name: _widened(getattr(record, name), spread) for name in GROW_WITH_TOKENS}
    totals = {place: _widened(joules, spread) for place, joules in record.totals.items()}
    return record.model_copy(update={**fields, "totals": totals, "tokens": item.tokens})


def _widened(quantity: Quantity, spread: Quantity) -> Quantity:
    """A quantity with a wider band and its own value and source."""
    if quantity.value is None:
        return quantity
    wider = multiply(quantity, spread, quantity.unit)
    return wider.model_copy(update={"value": quantity.value, "source": quantity.source})
