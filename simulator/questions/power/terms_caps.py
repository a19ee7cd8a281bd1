"""How the joules of a run without a cap came about, with which those under caps are compared."""

from __future__ import annotations

from simulator.questions.power.caps import Capped
from simulator.terms import Term


def terms(answer: Capped) -> dict[str, Term]:
    """Joules of the facility without a cap."""
    return {"": answer.prediction.account.facility_j}
