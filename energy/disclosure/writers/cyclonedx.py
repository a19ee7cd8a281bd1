"""A CycloneDX machine-learning BOM with its environmental considerations, 1.6 or 1.7.

Written by us: cyclonedx-python-lib has no model card. Its strict validator is run on the result
where it is installed (extra disclosure).
"""

from __future__ import annotations

import json
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from energy._lazy import version
from energy.disclosure.facts import Facts
from energy.disclosure.forms import document, form
from energy.disclosure.method import compute_method, energy_method, quality
from energy.errors import InputError

VERSIONS = ("1.6", "1.7")


def written(facts: Facts, spec_version: str = "1.7") -> dict[str, Any]:
    """The BOM; the strict validator has passed it where the extra is installed."""
    consumption = document(form("cyclonedx"), facts)
    for name in ("co2CostEquivalent", "co2CostOffset"):
        if name in consumption:
            consumption[name]["unit"] = "tCO2eq"
    consumption["properties"] = _properties(facts)
    serial = uuid5(NAMESPACE_URL, facts.words["name"] + facts.words.get("created", ""))
    component = {
        "type": "machine-learning-model",
        "bom-ref": facts.words["name"],
        "name": facts.words["name"],
        "modelCard": {
            "considerations": {"environmentalConsiderations": {"energyConsumptions": [consumption]}}
        },
    }
    if facts.has("model_version"):
        component["version"] = facts.words["model_version"]
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": spec_version,
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "timestamp": facts.words["written"],
            "tools": {
                "components": [{"type": "application", "name": "glam-energy", "version": version()}]
            },
        },
        "components": [component],
    }
    if (problem := strict_problem(bom)) is not None:
        raise InputError("expected a valid CycloneDX document", problem)
    return bom


def _properties(facts: Facts) -> list[dict[str, str]]:
    """What the standard has no field for, as its name-value pairs."""
    joules = facts.quantities["energy_j"]
    pairs = {
        "origin": joules.origins,
        "band": joules.band(),
        "boundary": str(facts.boundary),
        "quality": quality(joules) or "wider than 50 %",
        "energy-method": energy_method(facts),
        "compute-method": compute_method(facts),
    }
    names = {
        "co2_location_g": "co2-location",
        "co2_market_g": "co2-market",
        "co2_location_hourly_g": "co2-location-hourly",
        "co2_market_hourly_g": "co2-market-hourly",
        "co2_embodied_g": "co2-embodied",
    }
    pairs |= {
        title: str(facts.quantities[name])
        for name, title in names.items()
        if name in facts.quantities
    }
    return [{"name": f"glam-energy:{name}", "value": text} for name, text in pairs.items()]


def strict_problem(bom: dict[str, Any]) -> str | None:
    """What the strict validator of cyclonedx-python-lib says; None if nothing, or without it."""
    try:
        from cyclonedx.schema import SchemaVersion
        from cyclonedx.validation.json import JsonStrictValidator
    except ImportError:
        return None
    versions = dict(zip(VERSIONS, (SchemaVersion.V1_6, SchemaVersion.V1_7), strict=True))
    validator = JsonStrictValidator(versions[bom["specVersion"]])
    problem = validator.validate_str(json.dumps(bom))
    return None if problem is None else str(problem)[:300]
