"""Which assumption moves the answer: one at a time (a tornado), and all together (Monte Carlo).

Both work on a derivation tree, so they move exactly the numbers that `--explain` prints. A leaf
moves between the ends of its own band; an exact leaf does not move.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from energy.errors import InputError, nearest
from energy.quantity import Quantity
from simulator.terms import Term, draw, walk


@dataclass(frozen=True)
class Bar:
    """What one assumption does to the answer.

    Attributes:
        name: the assumption.
        quantity: its value and band.
        at_low: the answer with the assumption at its lower end.
        at_high: the answer with the assumption at its upper end.
    """

    name: str
    quantity: Quantity
    at_low: float
    at_high: float

    @property
    def swing(self) -> float:
        """Distance between the two answers."""
        return abs(self.at_high - self.at_low)


ANSWERS = {"time": "elapsed time", "energy": "facility energy", "co2": "CO2e"}


def answer(trees: Iterable[Term], of: str) -> Term:
    """The term of a derivation that a user asks for by a short name.

    Raises:
        InputError: the name is not one of `ANSWERS`, or there is no derivation (a read record).
    """
    if of not in ANSWERS:
        raise InputError("expected --of with an answer", of, nearest(of, ANSWERS))
    for tree in trees:
        for term in walk(tree):
            if term.name.startswith(ANSWERS[of]):
                return term
    raise InputError(f"expected a scenario that derives its {ANSWERS[of]}", "a record")


def tornado(answer: Term) -> list[Bar]:
    """Every leaf with a band, the one that moves the answer most first.

    460 L of water with PUE 1.1 to 1.3 and an exact rest: one bar, the PUE's.
    """
    bars = []
    for leaf in answer.leaves():
        if leaf.quantity.value is None:
            continue
        _, low, high = leaf.quantity.numbers()
        if high > low:
            ends = [float(answer.value({leaf.name: end})) for end in (low, high)]
            bars.append(Bar(leaf.name, leaf.quantity, *ends))
    return sorted(bars, key=lambda bar: bar.swing, reverse=True)


def monte_carlo(answer: Term, *, draws: int = 10_000, seed: int = 0) -> NDArray[np.float64]:
    """Answers with every leaf drawn from its band, independently.

    A leaf is drawn from a two-sided log-normal whose median is its value and whose two halves
    reach the ends of the band at the stated coverage.
    """
    generator = np.random.default_rng(seed)
    drawn = {
        leaf.name: draw(leaf.quantity, generator, draws)
        for leaf in answer.leaves()
        if leaf.quantity.value
    }
    return np.broadcast_to(np.asarray(answer.value(drawn), dtype=np.float64), (draws,))


def together(answer: Term, *, draws: int = 10_000, seed: int = 0) -> Quantity:
    """The answer with the 80 % band that all assumptions make together."""
    drawn = monte_carlo(answer, draws=draws, seed=seed)
    low, high = (float(end) for end in np.quantile(drawn, [0.1, 0.9]))
    value = float(np.asarray(answer.value()))
    return Quantity(
        value=value,
        low=min(low, value),
        high=max(high, value),
        unit=answer.quantity.unit,
        origin=answer.quantity.origin,
        source=f"{draws:,} draws of every assumption's band",
    )
