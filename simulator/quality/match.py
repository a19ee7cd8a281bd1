"""Equal quality: the tokens with which a second run reaches the loss of a first.

One published law gives the tokens. Their band is the spread of all laws, widened for every decade
that a run is outside the range that the law was fitted to. Loss is not skill: two models of equal
loss that were trained on different text may score differently.
"""

from __future__ import annotations

from dataclasses import dataclass

from energy.errors import InfeasibleError, InputError
from energy.quantity import Origin, Quantity
from simulator.quality.laws import Law, dense_twin, laws, outside_factor, size_of
from simulator.scenarios.scenario import Scenario

EQUALS = ("tokens", "quality")
"""In what runs may be equal."""


@dataclass(frozen=True)
class Match:
    """The tokens at which one run has the loss of another.

    Attributes:
        name: of the run.
        law: the law of the middle value.
        loss: of both runs then, by that law.
        own_loss: of the run with its own tokens, by that law.
        tokens: how many, with the spread of the laws.
        by_law: tokens by the name of each law; None means never.
        decades_outside: the range of that law.
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
        """The tokens over their middle value: a band around 1."""
        value = self.tokens.numbers()[0]
        return self.tokens.scaled(1 / value, "1", "spread of the laws of loss")

    @property
    def never(self) -> list[str]:
        """The laws by which no number of tokens is enough."""
        return [name for name, tokens in self.by_law.items() if tokens is None]


def match(first: Scenario, second: Scenario, central: Law, *, beyond_range: bool = False) -> Match:
    """The tokens at which the second run has the loss of the first.

    GLaM 64B/64E and GPT-3 at 300B tokens, by Besiroglu et al. with Clark's S-BASE: 341B, and 66B
    to 403B over all laws; similar scores at 280B were published.

    Args:
        first: the run whose loss is reached.
        second: the run that reaches it.
        central: the law of the middle value.
        beyond_range: apply the law to runs that are outside the range that it was fitted to.

    Raises:
        InputError: a run is not pre-training.
        InfeasibleError: by the central law the second run never reaches that loss, or a run is
            outside the range of the law and `beyond_range` is not set.
    """
    for scenario in (first, second):
        _require_pre_training(scenario)
    size, other_size = (size_of(scenario.model.resolve()) for scenario in (first, second))
    first_tokens = first.tokens
    loss = central.loss(size, first_tokens)
    needed = central.tokens(other_size, loss)
    if needed is None:
        raise InfeasibleError(
            f"expected a loss that {second.name} can reach",
            f"{loss:.3g} of {first.name}, below its floor by {central.name}",
            "compare from the other side; simulator compare --law has other laws",
        )
    outside = max(
        central.decades_outside(size, first_tokens), central.decades_outside(other_size, needed)
    )
    # The same model needs the same tokens by every law: nothing is unknown then.
    if outside and not beyond_range and size != other_size:
        raise _outside(first, second, central, outside)
    by_law = {
        law.name: law.tokens(other_size, law.loss(size, first_tokens))
        for law in _distinct_laws(both_dense=size.dense and other_size.dense)
    }
    by_law[central.name] = needed
    low, high = (needed, needed) if size == other_size else _band(by_law, outside)
    return Match(
        name=second.name,
        law=central,
        loss=loss,
        own_loss=central.loss(other_size, second.tokens),
        tokens=Quantity(
            value=needed,
            low=low,
            high=high,
            unit="1",
            origin=Origin.MODELLED,
            source=f"loss of {first.name} by {central.source}; band: the laws' spread"
            + (f", widened for {outside:.1f} decades outside their range" if outside else ""),
        ),
        by_law=by_law,
        decades_outside=outside,
    )


def _require_pre_training(scenario: Scenario) -> None:
    """Refuse a run of which laws of loss do not speak."""
    if not scenario.workload.is_pre_training:
        raise InputError(
            f"expected pre-training, of which laws of loss speak, of {scenario.name}",
            scenario.workload.kind,
            "compare at equal tokens, joules, days or dollars",
        )


def _outside(first: Scenario, second: Scenario, central: Law, decades: float) -> InfeasibleError:
    """Refuse to stretch a law, and offer what needs no law, or less of one."""
    fix = "--beyond-range applies it all the same"
    for scenario in (first, second):
        twin = dense_twin(size_of(scenario.model.resolve()))
        if twin not in (None, first.name, second.name):
            fix += f"; {twin} is dense with about the active parameters of {scenario.name}"
    return InfeasibleError(
        f"expected runs in the range of {central.name}",
        f"{first.name} and {second.name}, {decades:.1f} decades outside of it",
        f"{fix}; --equal tokens needs no law",
    )


def _band(by_law: dict[str, float | None], outside: float) -> tuple[float, float]:
    """The spread of the laws, widened outside of their range."""
    known = [tokens for tokens in by_law.values() if tokens is not None]
    factor = outside_factor(outside)
    return min(known) / factor, max(known) * factor


def _distinct_laws(*, both_dense: bool) -> list[Law]:
    """Laws that may differ: between two dense models the routing does not matter."""
    distinct: dict[str, Law] = {}
    for law in laws():
        key = law.name.partition(" with ")[0] if both_dense else law.name
        distinct.setdefault(key, law)
    return list(distinct.values())
