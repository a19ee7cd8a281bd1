"""The compute and energy block of the European Model Documentation Form, from a record."""

from __future__ import annotations

from typing import Any

from energy.disclosure import eu_mdf as rules
from energy.disclosure.facts import Facts
from energy.disclosure.forms import document, form, supply
from energy.disclosure.method import compute_method, energy_method, kind
from energy.quantity import Boundary
from energy.units import flop


def written(facts: Facts) -> dict[str, Any]:
    """The form as data: items with unit, recipients, origin and band; methods; thresholds.

    GLaM 64B/64E as published: 1.2e12 parameters (>1T), 51 days (1-3 months), 5.2e4 TPU v4-days,
    3.5e23 FLOP, 4.6e2 MWh at the facility.
    """
    own = form("eu-mdf")
    filled = document(own, facts)["items"]
    items = {}
    gaps = {}
    for field in own.fields:
        key = field.path.split(".")[1]
        if key not in filled:
            gaps[key] = {"title": field.title, "supply": supply(field, facts)}
            continue
        items[key] = {
            "title": field.title,
            **filled[key],
            **_unit(key, field.unit, facts),
            "goes_to": list(field.recipients),
            **_origin(field.fact, facts),
        }
    return {
        **own.heading(),
        "note": own.note,
        "model": facts.words["name"],
        "records": [record.name for record in facts.records],
        "kind": kind(facts),
        "items": items,
        "compute_methodology": _method(compute_method(facts)),
        "energy_methodology": _method(energy_method(facts)),
        "not_supplied": gaps,
        "thresholds": thresholds(facts),
    }


def _method(text: str) -> dict[str, Any]:
    return {"text": text, "goes_to": ["AI Office", "national authorities"]}


def _unit(key: str, unit: str, facts: Facts) -> dict[str, str]:
    """The unit in words; that of energy has its boundary."""
    if key == "hardware_time":
        return {"unit": f"{facts.words['chip_name']}-days"}
    if key == "training_energy":
        beside = " (without PUE)" if facts.boundary is not Boundary.FACILITY else ""
        return {"unit": unit, "boundary": f"{facts.boundary}{beside}"}
    return {"unit": {"d": "days", "1": ""}.get(unit, unit)} if unit else {}


def _origin(fact: str, facts: Facts) -> dict[str, Any]:
    quantity = facts.quantities.get(fact)
    if quantity is None:
        return {}
    return {"origin": quantity.origins, "band": quantity.band()}


def thresholds(facts: Facts) -> list[str]:
    """What the compute means: the two thresholds, and the third of an original's compute.

    Several records are one model's: cumulative compute counts against the thresholds, and each
    later stage against a third of the first.
    """
    if not facts.has("model_flop"):
        return []
    total = facts.number("model_flop")
    general, systemic = rules.GENERAL_PURPOSE_FLOP, rules.SYSTEMIC_FLOP
    over = {
        "systemic risk": "above 1e25: presumed to carry systemic risk (Article 51(2)); notify the "
        "Commission within two weeks, also where it is foreseeable",
        "general purpose": f"above 1e23, the mark of a general-purpose model that generates "
        f"language, images or video; {systemic / total:.3g} times below 1e25, of systemic risk",
        "below": f"{general / total:.3g} times below 1e23, the mark of a general-purpose model",
    }
    lines = [f"{flop(total)} FLOP in all: {over[rules.presumed(total)]}."]
    stages = list(facts.records)
    if facts.has("original_flop"):
        original = facts.number("original_flop")
        return [*lines, _third(stages[0].name, total, original)]
    if len(stages) == 1:
        return lines
    first = stages[0].model_flop.numbers()[0]
    return lines + [
        _third(stage.name, stage.model_flop.numbers()[0], first) for stage in stages[1:]
    ]


def _third(name: str, modification: float, original: float) -> str:
    is_provider = rules.modifier_is_provider(modification, original)
    meaning = (
        "more than a third: whoever made it is a provider of a general-purpose model too"
        if is_provider
        else "no more than a third: its author does not become a provider by it"
    )
    return (
        f"{name}: {flop(modification)} FLOP, {modification / original:.3g} of {flop(original)}, "
        + (f"{meaning} (Guidelines, 3.2).")
    )
