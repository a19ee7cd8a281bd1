"""How the numbers of a run came about, in words written from the record's own origins.

Forms that have no field for a band or an origin get it as text: what was measured, modelled and
assumed, at which boundary, through which factors, and what is missing.
"""

from __future__ import annotations

from energy.disclosure.eu_mdf import ALLOWED_ERROR
from energy.disclosure.facts import Facts
from energy.footprint.account import LADDER
from energy.quantity import Boundary, Origin, Quantity
from energy.record import RunRecord
from energy.units import flop

SHORT = 120
"""Characters of a source in a method text."""


def place(boundary: str | None) -> str:
    """A boundary as a sentence names it."""
    return "IT" if boundary == Boundary.IT else str(boundary)


def short(text: str) -> str:
    """A text cut at a word."""
    return text if len(text) <= SHORT else f"{text[:SHORT].rsplit(' ', 1)[0]} ..."


STEPS = {
    Boundary.NODE: "node_over_chip",
    Boundary.IT: "it_over_node",
    Boundary.FACILITY: "pue",
}
NAMES = {
    "node_over_chip": "node over chip",
    "it_over_node": "IT over node",
    "pue": "PUE",
}


def basis(facts: Facts) -> str:
    """How the joules came about, in a word: predicted, measured, computed, or in part predicted."""
    if facts.predicted:
        return "predicted" if facts.only_predicted else "in part predicted"
    joules = facts.quantities.get("energy_j")
    return "measured" if joules and joules.origin is Origin.MEASURED else "computed"


def with_origin(quantity: Quantity) -> str:
    """Value, band and origins: '456 MWh (80 %: 444 to 468; modelled 59 %, assumed 41 %)'."""
    band = "" if quantity.is_exact else f"{quantity.band()}; "
    return f"{quantity.human()} ({band}{quantity.origins})"


def kind(facts: Facts) -> str:
    """Whether the runs happened: a run, a prediction, or a sum that has predictions in it."""
    if facts.only_predicted:
        return "prediction: nothing was measured"
    if facts.predicted:
        return f"{len(facts.predictions)} of {len(facts.records)} runs only predicted"
    return "run"


def energy_method(facts: Facts) -> str:
    """The energy and its method, in about a hundred words."""
    if facts.boundary is None:
        return "No energy is known."
    total = facts.quantities["energy_j"]
    sentences = [
        f"{with_origin(total)} at the {place(facts.boundary)} boundary.",
        *dict.fromkeys(_reading(record) for record in facts.records if record.totals),
        _steps(facts),
    ]
    if total.missing:
        sentences.append(f"Not read: {short(', '.join(map(str, total.missing)))}.")
    sentences.append(_caution(facts, total))
    return " ".join(sentence for sentence in sentences if sentence)


def _reading(record: RunRecord) -> str:
    """Where the innermost joules come from."""
    inner = min(record.totals, key=LADDER.index)
    ways = dict.fromkeys(
        entry.api or entry.source for entry in record.energy if entry.value is not None
    )
    how = "; ".join(short(way) for way in list(ways)[:3]) or short(record.totals[inner].source)
    joules = record.totals[inner]
    verb = "Read" if joules.origin is Origin.MEASURED else "Computed"
    return f"{verb} at the {place(inner)} boundary ({joules.origins}): {how}."


def _steps(facts: Facts) -> str:
    """The factors between the innermost boundary and the one that is disclosed."""
    record = facts.records[-1]
    if not record.totals or facts.boundary is None:
        return ""
    inner = min(record.totals, key=LADDER.index)
    path = LADDER[LADDER.index(inner) + 1 : LADDER.index(facts.boundary) + 1]
    factors = [
        f"{NAMES[STEPS[at]]} {factor.human()} ({factor.origins}: {short(factor.source)})"
        for at in path
        if (factor := record.factors.get(STEPS[at])) is not None and factor.value is not None
    ]
    return f"Raised by {', '.join(factors)}." if factors else ""


def _caution(facts: Facts, total: Quantity) -> str:
    if facts.only_predicted:
        return "This is a prediction: nothing was measured."
    if facts.predicted:
        return f"A sum with predictions in it: {', '.join(facts.predictions)} did not happen yet."
    if total.origin is Origin.MEASURED:
        return "All of it was measured."
    return "What is modelled or assumed is no measurement."


def compute_method(facts: Facts) -> str:
    """How the FLOP were counted."""
    if not facts.has("model_flop"):
        return "The operations are not known."
    counted = facts.quantities["model_flop"]
    total, active = (facts.quantities.get(name) for name in ("params_total", "params_active"))
    sentences = [
        f"{flop(counted.numbers()[0])} FLOP ({counted.origins}): {short(counted.source)}.",
        "Forward and backward passes as the mathematics needs them, every operation alike whatever "
        "its precision; recomputation is not counted.",
    ]
    if total is not None and active is not None and active.numbers()[0] < 0.95 * total.numbers()[0]:
        sentences.append(
            f"Sparse: operations of the {active.human()} active of {total.human()} parameters, "
            "not 6PD of all."
        )
    if facts.has("executed_flop"):
        executed = facts.number("executed_flop")
        sentences.append(f"The hardware executed {flop(executed)} (with recomputation, padding).")
    if facts.has("hardware_flop"):
        ratio = facts.number("hardware_flop") / facts.number("model_flop")
        sentences.append(
            f"By hardware, {facts.quantities['hardware_flop'].source}: "
            f"{flop(facts.number('hardware_flop'))}, {ratio - 1:+.0%}; U is model FLOP "
            "utilization, never the busy time of a driver."
        )
    sentences.append(f"Allowed error: {ALLOWED_ERROR:.0%} of the reported figure.")
    return " ".join(sentences)


def carbon_method(facts: Facts) -> str:
    """Where the CO2e comes from, and which figures stand beside it."""
    grams = facts.quantities.get("co2_location_g")
    if grams is None or not facts.has("grid"):
        return "No CO2e by location is stated: the grid zone is not known."
    grid = facts.quantities.get("grid_g_per_kwh")
    factor = f" Grid factor {with_origin(grid)}: {short(grid.source)}." if grid else ""
    return (
        f"CO2e by location {with_origin(grams)}, operation only.{factor} Figures by market, "
        "embodied and offsets are others and are not netted."
    )


def method(facts: Facts) -> str:
    """Energy, carbon and compute in one text, for forms with one field."""
    return " ".join((energy_method(facts), carbon_method(facts), compute_method(facts)))


def quality(quantity: Quantity) -> str | None:
    """The class of BoAmps: high (10 %), medium (25 %), low (50 %); None where the band is wider."""
    value, low, high = quantity.numbers()
    error = max(value - low, high - value) / value if value else 0.0
    bounds = {"high": 0.1, "medium": 0.25, "low": 0.5}
    return next((name for name, bound in bounds.items() if error <= bound), None)
