"""An SPDX 3.0.1 document with the AI profile, through the bindings of spdx-python-model.

The bindings write decimals as Python prints floats, and so 5e-05, which xsd:decimal forbids: the
unit is chosen so that no exponent stands, and the number is checked after it was written.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from energy.disclosure.facts import Facts
from energy.disclosure.method import method
from energy.disclosure.plain import decimal
from energy.errors import InputError, absent, require_choice

UNITS = (("kilowattHour", 3.6e6, "unit:KiloW-HR"), ("megajoule", 1e6, "unit:MegaJ"))
"""Units of 3.0.1, joules of each, and the QUDT unit that 3.1 plans in its place."""

LEAST, MOST = 1e-4, 1e16
"""Between these Python prints floats without an exponent."""

PROPERTIES = {
    "training": "ai_trainingEnergyConsumption",
    "finetuning": "ai_finetuningEnergyConsumption",
    "inference": "ai_inferenceEnergyConsumption",
}


def unit_for(joules: float) -> tuple[str, float]:
    """The unit of SPDX in which a number needs no exponent, and the number in it.

    Raises:
        InputError: there is none.
    """
    for name, size, _ in UNITS:
        if LEAST <= joules / size < MOST:
            return name, float(decimal(joules / size))
    raise InputError(
        f"expected energy from {LEAST * 1e6:g} J for SPDX", f"{joules:g} J", "choose another format"
    )


def written(facts: Facts) -> str:
    """The document as JSON-LD.

    Raises:
        MissingDataError: spdx-python-model is not installed.
    """
    try:
        from spdx_python_model import v3_0_1 as spdx
    except ImportError as error:
        raise absent("spdx_python_model") from error
    base = f"urn:uuid:{uuid5(NAMESPACE_URL, facts.words['name'] + facts.words.get('created', ''))}"
    maker, model = f"{base}#organization", f"{base}#model"
    organization = spdx.Organization(_id=maker, name=facts.words["organization"])
    creation = spdx.CreationInfo(
        specVersion="3.0.1",
        created=_moment(facts),
        createdBy=[maker],
        comment="written by glam-energy",
    )
    organization.creationInfo = creation
    unit, amount = unit_for(facts.number("energy_j"))
    spent = spdx.ai_EnergyConsumptionDescription(
        ai_energyQuantity=amount, ai_energyUnit=getattr(spdx.ai_EnergyUnitType, unit)
    )
    stage = facts.words.get("task_stage", "training")
    require_choice("task_stage of SPDX", stage, PROPERTIES)
    package = spdx.ai_AIPackage(
        _id=model,
        creationInfo=creation,
        name=facts.words["name"],
        ai_energyConsumption=spdx.ai_EnergyConsumption(**{PROPERTIES[stage]: [spent]}),
        ai_informationAboutTraining=method(facts),
        software_downloadLocation=facts.words["download_location"],
        software_packageVersion=facts.words["model_version"],
        software_primaryPurpose=spdx.software_SoftwarePurpose.model,
        releaseTime=_moment(facts),
        suppliedBy=maker,
    )
    whole = spdx.SpdxDocument(
        _id=f"{base}#document",
        creationInfo=creation,
        name=facts.words["name"],
        rootElement=[model],
        profileConformance=[
            spdx.ProfileIdentifierType.core,
            spdx.ProfileIdentifierType.software,
            spdx.ProfileIdentifierType.ai,
        ],
    )
    return _text(spdx, [whole, package, organization])


def _moment(facts: Facts) -> datetime:
    return datetime.fromisoformat(facts.words["written"]).astimezone(UTC)


def _text(spdx: Any, objects: list[Any]) -> str:
    import io

    every = spdx.SHACLObjectSet()
    for item in objects:
        every.add(item)
    stream = io.BytesIO()
    spdx.JSONLDSerializer().write(every, stream)
    text = json.dumps(json.loads(stream.getvalue()), indent=1, ensure_ascii=False) + "\n"
    if re.search(r'"ai_energyQuantity": "[^"]*[eE]', text):
        raise InputError("expected energy without an exponent in SPDX", "one with an exponent")
    return text
