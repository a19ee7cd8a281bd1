"""How the amounts that the largest run uses came about."""

from __future__ import annotations

from simulator.questions.budget.inverse import WithinBudget
from simulator.runs.spend import NAMES
from simulator.terms import Term


def terms(answer: WithinBudget) -> dict[str, Term]:
    """Each known amount of the run, by the name that its budget has on the page."""
    return {
        NAMES[name]: term
        for name, term in answer.run.terms().items()
        if term.quantity.value is not None
    }
