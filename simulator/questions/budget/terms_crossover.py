"""How the ratios of a crossover came about."""

from __future__ import annotations

import math
from dataclasses import replace

from energy.quantity import Origin, Quantity
from simulator.questions.budget.crossover import Crossover, Point
from simulator.runs.spend import NAMES
from simulator.terms import Term


def terms(crossover: Crossover) -> dict[str, Term]:
    """The ratio at the values next to where it passes 1, or at both ends if it never does."""
    known = [point for point in crossover.points if point.runs is not None]
    nearest = [
        min(known, key=lambda point: abs(math.log(point.value / value)))
        for value in crossover.crossings
    ]
    points = {point.value: point for point in nearest or [known[0], known[-1]]}
    return {
        f"{crossover.key} = {value:.4g}": _ratio(point, crossover.of)
        for value, point in points.items()
    }


def _ratio(point: Point, of: str) -> Term:
    assert point.runs is not None
    assert point.ratio is not None
    parts = []
    for run in point.runs:
        term = run.terms()[of]
        parts.append(replace(term, name=f"{term.name} of {run.scenario.name}"))
    quantity = Quantity(
        value=point.ratio,
        low=point.low or point.ratio,
        high=point.high or point.ratio,
        unit="1",
        origin=Origin.MODELLED,
        source="band: spread of the laws of loss",
    )
    return Term(
        f"{NAMES[of]}, sparse / dense",
        quantity,
        " / ".join(part.name for part in parts),
        tuple(parts),
        divisors=1,
    )
