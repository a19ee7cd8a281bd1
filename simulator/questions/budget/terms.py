"""How the answer of `simulator crossover` came about."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from energy.quantity import Origin, Quantity
from simulator.questions.budget.crossover import Crossover, Point
from simulator.runs import spend
from simulator.runs.predict import of_run
from simulator.runs.spend import NAMES, Spending
from simulator.scenarios.scenario import Scenario
from simulator.terms import Term


def of_crossover(found: Crossover, spending: Callable[[Scenario], Spending]) -> dict[str, Term]:
    """The quotient at the values next to where it passes 1, or at both ends where it never does."""
    known = [point for point in found.points if point.runs is not None]
    picked = [
        min(known, key=lambda point: abs(math.log(point.value / value)))
        for value in found.crossings
    ] or [known[0], known[-1]]
    told = {point.value: point for point in picked}
    return {
        f"{found.key} = {value:.4g}": _quotient(found, point, spending)
        for value, point in told.items()
    }


def _quotient(found: Crossover, point: Point, spending: Callable[[Scenario], Spending]) -> Term:
    assert point.runs is not None
    assert point.ratio is not None
    parts = []
    for one in point.runs:
        how = spending(one)
        tree = (
            of_run(one)[found.of]
            if how is spend.predicted
            else Term(NAMES[found.of], how(one).by_budget()[found.of])
        )
        parts.append(replace(tree, name=f"{tree.name} of {one.name}"))
    low, high = point.low or point.ratio, point.high or point.ratio
    quantity = Quantity(
        value=point.ratio,
        low=low,
        high=high,
        unit="1",
        origin=Origin.MODELLED,
        source="band: spread of the laws of loss",
    )
    return Term(
        f"{NAMES[found.of]}, sparse / dense",
        quantity,
        " / ".join(part.name for part in parts),
        tuple(parts),
        divisors=1,
    )
