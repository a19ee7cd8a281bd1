"""Which assumption moves a figure: one at a time (a tornado), and all together (Monte Carlo).

Both work on a derivation tree, so they move exactly the numbers that `--explain` prints. A leaf
moves between the ends of its own band; an exact leaf does not move.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energy.errors import InputError, nearest
from energy.quantity import Quantity
from energy.record import RunRecord
from simulator.kit.answer import Answer
from simulator.runs.sides import choose_basis, read, sides
from simulator.scenarios.request import Target
from simulator.terms import Term, draw, quantiles, walk

FIGURES = {"time": "elapsed time", "energy": "facility energy", "co2": "CO2e"}
"""What the name of a figure's term begins with, by the words of --of."""


@dataclass(frozen=True)
class Bar:
    """What an assumption does to a figure.

    Attributes:
        name: the assumption.
        quantity: its value and band.
        at_low: the figure with the assumption at its lower end.
        at_high: the figure with the assumption at its upper end.
    """

    name: str
    quantity: Quantity
    at_low: float
    at_high: float

    @property
    def swing(self) -> float:
        """Distance between the two figures."""
        return abs(self.at_high - self.at_low)


@dataclass(frozen=True, kw_only=True, repr=False)
class Sensitivity(Answer):
    """What moves a figure of a run.

    Attributes:
        name: of the run.
        figure: how the figure is computed.
        bars: each assumption that has a band, the one that moves the figure most first.
        together: the figure with the band of all assumptions.
    """

    name: str
    figure: Term
    bars: list[Bar]
    together: Quantity

    @property
    def headline(self) -> str:
        """The run and its figure."""
        return f"{self.name}: {self.figure.name} {self.figure.quantity}"


def sensitivity(
    target: Target | RunRecord,
    *,
    of: str = "co2",
    basis: str = "predicted",
    accounting: str = "as-published",
    overrides: Mapping[str, Any] | None = None,
) -> Sensitivity:
    """Move each assumption of a run over its band, and all of them together.

    Args:
        target: a scenario, a preset, a model of the catalog, or the path of a scenario file.
        of: the figure that moves: time, energy or co2.
        basis: predicted, published, or auto: published where the run was.
        accounting: CO2e by location (gross), market (net), or as-published: the run's own.
        overrides: other values by dotted key: {"run.goodput": 0.9}.

    Raises:
        InputError: a name, key or value is not valid, or the target is a record, whose figures
            have no derivation.
        InfeasibleError: no plan of the run fits in memory.
    """
    runs = read([target], overrides)
    (side,) = sides(runs, choose_basis(runs, basis), accounting)
    figure = figure_of(side.trees, of)
    return Sensitivity(
        name=side.name, figure=figure, bars=tornado(figure), together=together(figure)
    )


def figure_of(trees: Iterable[Term], of: str) -> Term:
    """The term of a derivation by the word of --of.

    Raises:
        InputError: the word is not one of `FIGURES`, or there is no derivation (of a record).
    """
    if of not in FIGURES:
        raise InputError("expected --of with a figure", of, nearest(of, FIGURES))
    for tree in trees:
        for term in walk(tree):
            if term.name.startswith(FIGURES[of]):
                return term
    raise InputError(f"expected a scenario that derives its {FIGURES[of]}", "a record")


def tornado(figure: Term) -> list[Bar]:
    """Every leaf with a band, the one that moves the figure most first.

    460 L of water with PUE 1.1 to 1.3 and an exact rest: a single bar, the PUE's.
    """
    bars = []
    for leaf in figure.leaves():
        if leaf.quantity.value is None:
            continue
        _, low, high = leaf.quantity.numbers()
        if high > low:
            ends = [float(figure.value({leaf.name: end})) for end in (low, high)]
            bars.append(Bar(leaf.name, leaf.quantity, *ends))
    return sorted(bars, key=lambda bar: bar.swing, reverse=True)


def monte_carlo(figure: Term, *, draws: int = 10_000, seed: int = 0) -> NDArray[np.float64]:
    """Values of a figure with every leaf drawn from its band, independently.

    A leaf is drawn from a two-sided log-normal whose median is its value and whose two halves
    reach the ends of the band at the stated coverage.
    """
    generator = np.random.default_rng(seed)
    drawn = {
        leaf.name: draw(leaf.quantity, generator, draws)
        for leaf in figure.leaves()
        if leaf.quantity.value
    }
    return np.broadcast_to(np.asarray(figure.value(drawn), dtype=np.float64), (draws,))


def together(figure: Term, *, draws: int = 10_000, seed: int = 0) -> Quantity:
    """The figure with the 80 % band that all assumptions make together."""
    drawn = monte_carlo(figure, draws=draws, seed=seed)
    low, high = quantiles(drawn, 0.1, 0.9)
    value = float(np.asarray(figure.value()))
    return Quantity(
        value=value,
        low=min(low, value),
        high=max(high, value),
        unit=figure.quantity.unit,
        origin=figure.quantity.origin,
        source=f"{draws:,} draws of every assumption's band",
    )
