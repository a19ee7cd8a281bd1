"""How the figures of a comparison came about."""

from __future__ import annotations

from simulator.questions.compare.answer import Comparison
from simulator.terms import Term


def terms(comparison: Comparison) -> dict[str, Term]:
    """Work and CO2e of each run, by the name of the run and of the figure; none of a record."""
    names = [side.name for side in comparison.sides]
    labels = [
        name if names.count(name) == 1 else f"{name}, run {place}"
        for place, name in enumerate(names, start=1)
    ]
    return {
        f"{label}: {term.name}": term
        for label, side in zip(labels, comparison.sides, strict=True)
        for term in side.trees
    }
