"""How the result that was varied came about."""

from __future__ import annotations

from simulator.questions.sensitivity.answer import Sensitivity
from simulator.terms import Term


def terms(sensitivity: Sensitivity) -> dict[str, Term]:
    """The result."""
    return {"": sensitivity.result}
