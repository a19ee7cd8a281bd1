"""How what the most that fits takes came about."""

from __future__ import annotations

from simulator.questions.budget.inverse import WithinBudget
from simulator.runs.spend import NAMES
from simulator.terms import Term


def terms(answer: WithinBudget) -> dict[str, Term]:
    """Each figure that is known of the run, by what a budget of it is called."""
    return {
        NAMES[name]: term
        for name, term in answer.run.terms().items()
        if term.quantity.value is not None
    }
