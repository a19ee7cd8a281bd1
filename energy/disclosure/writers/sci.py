"""Scores of Software Carbon Intensity: ISO/IEC 21031, and its extension to AI.

SCI = (O + M) per R: operation by the location's grid, embodied, per functional unit. The sum of the
two is what the standard asks for; offsets and contracts are in neither, and stand nowhere in it.
"""

from __future__ import annotations

from typing import Any

from energy.arithmetic import add
from energy.disclosure.facts import Facts
from energy.disclosure.forms import document, form
from energy.disclosure.method import carbon_method, energy_method
from energy.errors import InputError, MissingDataError
from energy.quantity import Quantity

UNITS = {
    "token": ("tokens", 1e6, "million training tokens"),
    "flop": ("model_flop", 1e15, "1e15 model FLOP"),
    "parameter": ("params_total", 1e9, "billion parameters"),
    "query": ("queries", 1.0, "query"),
}
"""Functional units: the fact that counts them, how many are one R, and what R is called."""


def score(facts: Facts) -> dict[str, Any]:
    """A score by ISO/IEC 21031."""
    own = form("sci")
    name = facts.words["functional_unit"]
    count, unit = 1.0, "run"
    if name != "run":
        fact, each, unit = UNITS[name]
        if not facts.has(fact):
            raise MissingDataError(
                f"expected the number of units ({fact})", "none", f"--set {fact}={fact.upper()}"
            )
        count = facts.number(fact) / each
    return {
        **own.heading(),
        "note": own.note,
        "software": facts.words["name"],
        **document(own, facts),
        "R": unit,
        "R_count": _counted(count, name),
        "score": _scored(_carbon(facts), count, f"gCO2e per {unit}"),
        "boundary": f"training; energy at the {facts.boundary} boundary with idle and reserved "
        "hardware, embodied carbon of the chips' scope",
        "method": _method(facts),
    }


def provider_scores(facts: Facts) -> dict[str, Any]:
    """Scores of the provider boundary by SCI for AI: per FLOP, training token, billion parameters.

    200 t for 5e22 FLOP are 4 g per 1e15 FLOP; GLaM's 40.1 t for 3.48e23 FLOP are 0.115, of which
    only the operation is published.
    """
    own = form("sci-ai")
    carbon = _carbon(facts)
    scores = [
        ("FLOP", "effective", "model_flop", 1e15, "1e15 FLOP"),
        ("training token", "gross", "tokens", 1e6, "million training tokens"),
        ("parameter", "gross", "params_total", 1e9, "billion parameters"),
        ("parameter", "effective", "params_active", 1e9, "billion active parameters"),
    ]
    return {
        **own.heading(),
        "note": own.note,
        "model": facts.words["name"],
        **document(own, facts),
        "primary": "FLOP: the work done, whatever the architecture",
        "scores": [
            {"functional_unit": unit, "values": kind}
            | _scored(carbon, facts.number(fact) / each, f"gCO2e per {per}")
            for unit, kind, fact, each, per in scores
        ],
        "effective": "operations of the model without recomputation; parameters that a token "
        "passes through",
        "stages": "design and development (training) only; inception, deployment and retirement "
        "are not in this record",
        "method": _method(facts),
    }


def _carbon(facts: Facts) -> Quantity:
    """O + M, the one sum of two figures of CO2e that is made: the standard's numerator."""
    return add(
        [facts.quantities["co2_location_g"], facts.quantities["co2_embodied_g"]],
        names=["operation", "embodied"],
        source="O + M",
    )


def _counted(count: float, name: str) -> float:
    if not count > 0:
        raise InputError(f"expected more than no {name}", f"{count:g}")
    return count


def _scored(carbon: Quantity, count: float, unit: str) -> dict[str, Any]:
    each = carbon.scaled(1 / count)
    value, low, high = each.numbers()
    return {
        "value": value,
        "unit": unit,
        "low": low,
        "high": high,
        "coverage": each.coverage,
        "origin": each.origins,
    }


def _method(facts: Facts) -> str:
    return f"{energy_method(facts)} {carbon_method(facts)}"
