"""How the rows of a sweep came about."""

from __future__ import annotations

from simulator.questions.sweep.fastest import Sweep
from simulator.terms import Term


def terms(answer: Sweep) -> dict[str, Term]:
    """The CO2e of each row, by its number on the page."""
    return {str(number): row.terms()[0] for number, row in enumerate(answer.rows, 1)}
