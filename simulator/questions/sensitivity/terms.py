"""How the figure of a sensitivity came about."""

from __future__ import annotations

from simulator.questions.sensitivity.answer import Sensitivity
from simulator.terms import Term


def terms(sensitivity: Sensitivity) -> dict[str, Term]:
    """The figure that was moved."""
    return {"": sensitivity.figure}
