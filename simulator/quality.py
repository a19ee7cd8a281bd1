"""Holding quality equal: each later run gets the tokens that bring it to the loss of the first.

Which tokens these are is the answer of one published law; how little is known is the spread of all
of them, widened for every decade that a run lies outside what they were fitted to. Loss is not
skill: two models of one loss, trained on other text, may score differently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from energy.errors import InfeasibleError, InputError
from energy.quantity import Origin, Quantity, multiply
from energy.record import RunRecord
from simulator.compare import Ratio, Side, decompose
from simulator.equal import lengthened
from simulator.scaling_laws import Law, Size, law, laws, outside_factor, size_of
from simulator.scenario import Scenario
from simulator.sides import Basis, sides

DEFAULT_LAW = "besiroglu-2024"


@dataclass(frozen=True)
class Match:
    """The tokens at which one run has the loss of another.

    Attributes:
        name: of the run.
        law: which gives the middle.
        loss: that both have then, by that law.
        own_loss: of the run with the tokens it came with.
        tokens: how many, with the spread of the laws.
        by_law: tokens by the name of each law; None where it says never.
        decades_outside: of the law that gives the middle.
    """

    name: str
    law: Law
    loss: float
    own_loss: float
    tokens: Quantity
    by_law: dict[str, float | None]
    decades_outside: float

    @property
    def spread(self) -> Quantity:
        """The tokens over their middle: a band around 1."""
        value = self.tokens.numbers()[0]
        return self.tokens.scaled(1 / value, "1", "spread of the laws of loss")

    @property
    def never(self) -> list[str]:
        """The laws by which no number of tokens is enough."""
        return [name for name, tokens in self.by_law.items() if tokens is None]


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


def match(first: Scenario, second: Scenario, central: Law) -> Match:
    """The tokens at which the second run has the loss of the first.

    GLaM 64B/64E against GPT-3 at 300B tokens, by Besiroglu et al. with Clark's S-BASE: 341B, and
    66B to 403B over all laws; that 280B gave similar scores was published.

    Raises:
        InfeasibleError: by the central law it never has.
    """
    one, other = (size_of(scenario.model.resolve()) for scenario in (first, second))
    read = _tokens(first)
    loss = central.loss(one, read)
    needed = central.tokens(other, loss)
    if needed is None:
        raise InfeasibleError(
            f"expected a loss that {second.name} can reach",
            f"{loss:.3g} of {first.name}, below its floor by {central.name}",
            "compare from the other side, or by another law: --law",
        )
    by_law = {law.name: law.tokens(other, law.loss(one, read)) for law in _different(one, other)}
    by_law[central.name] = needed
    outside = max(central.decades_outside(one, read), central.decades_outside(other, needed))
    known = [tokens for tokens in by_law.values() if tokens is not None]
    factor = outside_factor(outside)
    # The same model needs the same tokens by every law: then nothing is unknown.
    exact = one == other
    tokens = Quantity(
        value=needed,
        low=needed if exact else min(known) / factor,
        high=needed if exact else max(known) * factor,
        unit="1",
        origin=Origin.MODELLED,
        source=f"loss of {first.name} by {central.source}; band: the laws' spread"
        + (f", widened for {outside:.1f} decades outside their range" if outside else ""),
    )
    return Match(
        second.name, central, loss, central.loss(other, _tokens(second)), tokens, by_law, outside
    )


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


def _different(one: Size, other: Size) -> list[Law]:
    """Every law once: between two dense models the routing does not matter."""
    found: dict[str, Law] = {}
    for each in laws():
        key = each.name.partition(" with ")[0] if one.dense and other.dense else each.name
        found.setdefault(key, each)
    return list(found.values())


def _tokens(scenario: Scenario) -> float:
    return scenario.run.total_tokens(float(scenario.model.resolve().seq_len))


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
