"""How the best plan's figures came about."""

from __future__ import annotations

from simulator.questions.plan.answer import Planned
from simulator.terms import Term


def terms(planned: Planned) -> dict[str, Term]:
    """The CO2e of the best plan, down to the parts of its step."""
    return {"": planned.prediction.co2_term()}
