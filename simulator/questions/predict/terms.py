"""How a prediction came about."""

from __future__ import annotations

from simulator.runs.predict import Prediction
from simulator.terms import Term


def terms(prediction: Prediction) -> dict[str, Term]:
    """CO2e, down to the parts of a step."""
    return {"": prediction.co2_term()}
