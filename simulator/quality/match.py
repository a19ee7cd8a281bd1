"""Holding quality equal: each later run gets the tokens that bring it to the loss of the first.

Which tokens these are is the answer of one published law; how little is known is the spread of all
of them, widened for every decade that a run lies outside what they were fitted to. Loss is not
skill: two models of one loss, trained on other text, may score differently.
"""

from __future__ import annotations

from dataclasses import dataclass

from energy.errors import InfeasibleError
from energy.quantity import Origin, Quantity
from simulator.quality.laws import Law, Size, laws, outside_factor, size_of
from simulator.scenarios.scenario import Scenario


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


def _different(one: Size, other: Size) -> list[Law]:
    """Every law once: between two dense models the routing does not matter."""
    found: dict[str, Law] = {}
    for each in laws():
        key = each.name.partition(" with ")[0] if one.dense and other.dense else each.name
        found.setdefault(key, each)
    return list(found.values())


def _tokens(scenario: Scenario) -> float:
    return scenario.run.total_tokens(float(scenario.model.resolve().seq_len))


EQUALS = ("tokens", "quality")
