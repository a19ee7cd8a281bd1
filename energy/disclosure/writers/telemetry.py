"""The joules of a run in the names of OpenTelemetry's hardware metrics, and as OpenMetrics.

hw.energy (J) and hw.power (W) of each component; those of a whole node are hw.host.energy and
hw.host.power, so that nothing overlapping is summed. Devices within another one are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from energy._lazy import version
from energy.disclosure.facts import Facts, ended_utc
from energy.quantity import Boundary
from energy.record import EnergyEntry, Kind, RunRecord

TYPES = {"gpu": "gpu", "tpu": "gpu", "accelerator": "gpu", "cpu": "cpu", "package": "cpu"}
TYPES |= {"memory": "memory", "dram": "memory", "node": "enclosure", "psu": "power_supply"}

KINDS = {Kind.MEASURED: "run", Kind.PREDICTED: "prediction"}
"""Whether a run happened; whether its joules were measured stands in their origin."""


def hardware_type(entry: EnergyEntry) -> str:
    """The well-known value of hw.type; gpu for what is none of the others."""
    name = f"{entry.device} {entry.api}".lower()
    return next((kind for word, kind in TYPES.items() if word in name), "gpu")


def entries(record: RunRecord) -> Iterator[EnergyEntry]:
    """Entries whose joules are in no other entry."""
    for entry in record.energy:
        if entry.value is not None and entry.within is None:
            yield entry


def otlp(facts: Facts) -> dict[str, Any]:
    """Metrics as OTLP JSON: a resource a run."""
    return {"resourceMetrics": [_resource(record, facts) for record in facts.records]}


def _resource(record: RunRecord, facts: Facts) -> dict[str, Any]:
    end = datetime.fromisoformat(ended_utc(record) or facts.words["created"])
    end = end if end.tzinfo else end.replace(tzinfo=UTC)
    begin = end - timedelta(seconds=record.elapsed_s.value or 0.0)
    span = {"startTimeUnixNano": _nano(begin), "timeUnixNano": _nano(end)}
    sums: dict[str, list[Any]] = {}
    gauges: dict[str, list[Any]] = {}
    for entry in entries(record):
        host = "host." if entry.boundary is Boundary.NODE else ""
        attributes = _attributes(entry)
        joules = entry.numbers()[0]
        sums.setdefault(f"hw.{host}energy", []).append(
            {"asDouble": joules, "attributes": attributes, **span}
        )
        if record.elapsed_s.value:
            watts = joules / record.elapsed_s.value
            gauges.setdefault(f"hw.{host}power", []).append(
                {"asDouble": watts, "attributes": attributes, **span}
            )
    metrics = [
        {
            "name": name,
            "unit": "J",
            "sum": {
                "dataPoints": points,
                "aggregationTemporality": "AGGREGATION_TEMPORALITY_CUMULATIVE",
                "isMonotonic": True,
            },
        }
        for name, points in sums.items()
    ]
    metrics += [
        {"name": name, "unit": "W", "gauge": {"dataPoints": points}}
        for name, points in gauges.items()
    ]
    resource: dict[str, str | float] = {
        "service.name": record.name,
        "glam_energy.kind": KINDS[record.kind],
    }
    if "host" in record.environment:
        resource["host.name"] = str(record.environment["host"])
    scope = {"name": "glam-energy", "version": version()}
    return {
        "resource": {"attributes": _pairs(resource)},
        "scopeMetrics": [{"scope": scope, "metrics": metrics}],
    }


def _attributes(entry: EnergyEntry) -> list[dict[str, Any]]:
    """Identity of a component, and where its joules come from, with their band."""
    _, low, high = entry.numbers()
    return _pairs(
        {
            "hw.id": entry.device,
            "hw.type": hardware_type(entry),
            "hw.name": entry.device,
            "glam_energy.boundary": str(entry.boundary),
            "glam_energy.phase": entry.phase,
            "glam_energy.api": entry.api,
            "glam_energy.origin": entry.origins,
            "glam_energy.low": low,
            "glam_energy.high": high,
        }
    )


def _pairs(values: dict[str, str | float]) -> list[dict[str, Any]]:
    return [
        {
            "key": key,
            "value": {"doubleValue": v} if isinstance(v, float) else {"stringValue": v},
        }
        for key, v in values.items()
    ]


def _nano(moment: datetime) -> str:
    return str(round(moment.timestamp() * 1e6) * 1000)


def openmetrics(facts: Facts) -> str:
    """The same as OpenMetrics text; ends of bands are gauges of their own."""
    families: dict[str, list[str]] = {}
    for record in facts.records:
        for entry in entries(record):
            labels = _labels(record, entry)
            value, low, high = entry.numbers()
            host = "host_" if entry.boundary is Boundary.NODE else ""
            energy, power = f"hw_{host}energy_joules", f"hw_{host}power_watts"
            families.setdefault(energy, []).append(f"{energy}_total{labels} {value!r}")
            if record.elapsed_s.value:
                watts = value / record.elapsed_s.value
                families.setdefault(power, []).append(f"{power}{labels} {watts!r}")
            for end, joules in (("low", low), ("high", high)):
                name = f"glam_energy_{end}_joules"
                families.setdefault(name, []).append(f"{name}{labels} {joules!r}")
    lines = []
    for name, samples in families.items():
        kind = "counter" if name.endswith("energy_joules") else "gauge"
        unit = "watts" if name.endswith("watts") else "joules"
        lines += [f"# TYPE {name} {kind}", f"# UNIT {name} {unit}", *samples]
    return "\n".join([*lines, "# EOF", ""])


def _labels(record: RunRecord, entry: EnergyEntry) -> str:
    labels = {
        "run": record.name,
        "kind": KINDS[record.kind],
        "hw_id": entry.device,
        "hw_type": hardware_type(entry),
        "boundary": str(entry.boundary),
        "phase": entry.phase,
        "origin": entry.origins,
        "api": entry.api,
    }
    return "{" + ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items()) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
