"""How the configurations that keep to limits came about."""

from __future__ import annotations

from simulator.questions.sweep.feasible import Feasible
from simulator.terms import Term


def terms(answer: Feasible) -> dict[str, Term]:
    """CO2e, power and dollars of each configuration, by its number on the page."""
    return {
        f"{number}, {term.name}": term
        for number, configuration in enumerate(answer.configurations, 1)
        for term in configuration.terms()
    }
