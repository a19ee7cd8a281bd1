"""How the points of the front came about."""

from __future__ import annotations

from simulator.questions.sweep.pareto import Pareto
from simulator.terms import Term


def terms(answer: Pareto) -> dict[str, Term]:
    """The CO2e of each point, by its number on the page."""
    return {str(number): choice.terms()[0] for number, choice in enumerate(answer.choices, 1)}
