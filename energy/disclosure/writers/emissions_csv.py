"""Records in the columns of CodeCarbon's emissions.csv, so that dashboards go on working."""

from __future__ import annotations

import csv
import io
from typing import Any

from energy._lazy import version
from energy.disclosure.facts import Facts, ended_utc, facts_of
from energy.disclosure.forms import document, form
from energy.disclosure.writers.telemetry import entries, hardware_type
from energy.units import G_PER_KG, J_PER_KWH

OURS = (
    "cpu_tracking_method",
    "gpu_tracking_method",
    "ram_tracking_method",
    "energy_origin",
    "energy_boundary",
    "energy_low_kwh",
    "energy_high_kwh",
)
"""What CodeCarbon's columns cannot hold."""

PARTS = {"cpu": "cpu", "gpu": "gpu", "ram": "memory"}


def written(facts: Facts) -> str:
    """The table, a row a run; a blank cell is a figure that the record does not have."""
    stream = io.StringIO()
    table = csv.DictWriter(stream, [*form("csv").columns, *OURS], restval="", lineterminator="\n")
    table.writeheader()
    for record in facts.records:
        stated = {name: text for name, text in facts.words.items() if name in ("cloud_provider",)}
        table.writerow(_row(facts_of([record], stated)))
    return stream.getvalue()


def _row(facts: Facts) -> dict[str, Any]:
    row = document(form("csv"), facts)
    seconds = facts.number("elapsed_s")
    record = facts.records[0]
    if seconds:
        row["emissions_rate"] = facts.number("co2_location_g") / G_PER_KG / seconds
    # CodeCarbon's parts have the PUE in them: ours are raised as their total is.
    chips = sum(entry.numbers()[0] for entry in entries(record))
    raised = facts.number("energy_j") / chips if chips else 1.0
    for short, kind in PARTS.items():
        own = [entry for entry in entries(record) if hardware_type(entry) == kind]
        joules = raised * sum(entry.numbers()[0] for entry in own)
        if own:
            row[f"{short}_energy"] = joules / J_PER_KWH
            row[f"{short}_power"] = joules / seconds if seconds else ""
            methods = dict.fromkeys(f"{entry.origins}: {entry.api}" for entry in own)
            row[f"{short}_tracking_method"] = "; ".join(methods)
    whole = facts.quantities["energy_j"]
    _, low, high = whole.numbers()
    return row | {
        "run_id": f"{record.name} {ended_utc(record)}",
        "codecarbon_version": f"glam-energy {version()}",
        "tracking_mode": "machine",
        "on_cloud": "Y" if facts.has("cloud_provider") else "N",
        "energy_origin": whole.origins,
        "energy_boundary": str(facts.boundary),
        "energy_low_kwh": low / J_PER_KWH,
        "energy_high_kwh": high / J_PER_KWH,
    }
