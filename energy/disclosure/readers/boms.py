"""Bills of materials as claims: CycloneDX and SPDX documents, ours or anybody's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from energy.claims.claim import Claim, Problem
from energy.disclosure.forms import at, form, items
from energy.disclosure.readers.forms import gaps, numbers_of
from energy.disclosure.writers.spdx import UNITS as SPDX_UNITS
from energy.inputs import is_number
from energy.units import significant

CONSIDERATIONS = "modelCard.considerations.environmentalConsiderations.energyConsumptions"

CYCLONEDX_UNITS = {
    "activityEnergyCost.unit": "kWh",
    "energyProviders.0.energyProvided.unit": "kWh",
    "co2CostEquivalent.unit": "tCO2eq",
    "co2CostOffset.unit": "tCO2eq",
}

DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)")
"""xsd:decimal: no exponent, no infinity."""


def cyclonedx(document: Mapping[str, Any], where: str) -> list[Claim]:
    """The energy of every activity of every model of a CycloneDX document."""
    claims = []
    for component in items(document, "components"):
        for consumption in items(component, CONSIDERATIONS):
            words = (where, at(component, "name"), at(consumption, "activity"))
            name = " ".join(str(word) for word in words if word)
            claims.append(_activity(consumption, name))
    return claims


def _activity(consumption: Any, where: str) -> Claim:
    own = form("cyclonedx")
    problems = list(gaps(own, consumption))
    for path, unit in CYCLONEDX_UNITS.items():
        stated = at(consumption, path)
        if stated not in (None, unit):
            problems.append(Problem("unit", f"{path} is {stated!r}; the standard has {unit} only"))
    cost = at(consumption, "activityEnergyCost.value")
    providers = items(consumption, "energyProviders")
    parts = [at(provider, "energyProvided.value") for provider in providers]
    if is_number(cost) and parts and all(is_number(part) for part in parts):
        total = sum(parts)
        if abs(total - cost) > 0.01 * abs(cost):
            problems.append(
                Problem(
                    "field", f"{significant(cost)} kWh; its providers gave {significant(total)}"
                )
            )
    numbers = numbers_of(own, consumption)
    return Claim(where, numbers, {"boundary": _property(consumption, "boundary")}, tuple(problems))


def _property(consumption: Any, name: str) -> str:
    for pair in items(consumption, "properties"):
        if at(pair, "name") == f"glam-energy:{name}":
            return str(at(pair, "value"))
    return ""


def spdx(document: Mapping[str, Any], where: str) -> list[Claim]:
    """The energy descriptions of every AI package of an SPDX document."""
    claims = []
    for node in items(document, "@graph"):
        if at(node, "type") != "ai_AIPackage":
            continue
        consumption = at(node, "ai_energyConsumption") or {}
        for name, descriptions in consumption.items() if isinstance(consumption, dict) else ():
            for spent in descriptions if isinstance(descriptions, list) else []:
                claims.append(_spent(spent, f"{where} {at(node, 'name')} {name}"))
    return claims


def _spent(spent: Any, where: str) -> Claim:
    text, unit = str(at(spent, "ai_energyQuantity")), at(spent, "ai_energyUnit")
    sizes = {name: size for name, size, _ in SPDX_UNITS}
    problems = list(_spent_problems(text, unit, sizes))
    numbers = {}
    if unit in list(sizes) and not any(problem.rule == "not-a-number" for problem in problems):
        numbers["energy_j"] = float(text) * sizes[str(unit)]
    return Claim(where, numbers, {}, tuple(problems))


def _spent_problems(text: str, unit: Any, sizes: Mapping[str, float]) -> Iterator[Problem]:
    if not DECIMAL.fullmatch(text):
        yield Problem("not-a-number", f"energyQuantity is {text}: xsd:decimal has no exponent")
    if unit not in (*sizes, "other"):
        yield Problem("unit", f"energyUnit is {unit!r}, none of {', '.join(sizes)}, other")
