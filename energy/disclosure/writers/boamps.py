"""A BoAmps report of Boavizta, version 1.1.0."""

from __future__ import annotations

from typing import Any

from energy._lazy import version
from energy.disclosure.facts import Facts
from energy.disclosure.forms import document, form
from energy.disclosure.method import basis, method, quality

KINDS = {"gpu": "gpu", "tpu": "tpu", "cpu": "cpu"}


def written(facts: Facts) -> dict[str, Any]:
    """The report. Band and origins stand in `quality` and in the description of the task."""
    report = document(form("boamps"), facts)
    moment = facts.words["written"].replace("T", " ")[:19]
    report["header"] |= {"reportDatetime": moment, "reportStatus": "draft"}
    if "publisher" in report["header"]:
        report["header"]["publisher"]["confidentialityLevel"] = "public"
    report["task"]["taskDescription"] = method(facts)
    report["measures"][0] |= _measure(facts)
    row = facts.chip
    component = report["infrastructure"]["components"][0]
    component["nbComponent"] = int(component["nbComponent"])
    component["componentType"] = KINDS.get(row.kind if row else "", "gpu")
    if row is not None and row.vendor:
        component["manufacturer"] = row.vendor
    report["software"] = {"language": "python", "version": facts.words.get("python", "unknown")}
    # A band wider than the widest class has none.
    grade = quality(facts.quantities["energy_j"])
    return report | ({"quality": grade} if grade else {})


def _measure(facts: Facts) -> dict[str, Any]:
    joules = facts.quantities["energy_j"]
    apis = dict.fromkeys(
        entry.api for record in facts.records for entry in record.energy if entry.api
    )
    how = f"{basis(facts)}; {joules.origins}; {facts.boundary} boundary"
    return {
        "measurementMethod": f"glam-energy, {how}",
        "version": version(),
        "gpuTrackingMode": "; ".join(apis) or joules.source,
    }
