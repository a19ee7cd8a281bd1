"""Forms as claims: what they state in SI, and what in them contradicts the form itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from energy.claims.claim import NUMBERS, Claim, Problem
from energy.disclosure.eu_mdf import size_bucket, time_bucket
from energy.disclosure.forms import Form, at, form, items, read_back
from energy.inputs import is_number
from energy.units import S_PER_DAY, significant

NAMES = {
    "model_flop": "flop",
    "co2_location_g": "co2_g",
    "queries": "queries",
}
"""Facts that claims call otherwise."""

ENUMS = {
    "header.reportStatus": ("draft", "final", "corrective", "other"),
    "infrastructure.infraType": ("publicCloud", "privateCloud", "onPremise", "other"),
    "quality": ("high", "medium", "low"),
}

SPARSE = re.compile(r"\bsparse|mixture|\bactive\b", re.IGNORECASE)
"""Words by which a text says that a token passes through a part of the parameters."""

MOST_BILLIONS = 1e5
"""A hundred trillion parameters: no model has more."""


def numbers_of(form: Form, document: Any) -> dict[str, float]:
    """The numbers of a document as a claim has them."""
    facts = read_back(form, document)
    named = {NAMES.get(fact, fact): value for fact, value in facts.items()}
    return {name: value for name, value in named.items() if name in NUMBERS}


def gaps(form: Form, document: Any) -> Iterator[Problem]:
    """Required fields of a form that are empty, or that have words for numbers."""
    for field in form.fields:
        value = at(document, field.path)
        if value in (None, "", []):
            if field.required:
                yield Problem("field", f"{field.path} is empty")
        elif field.unit and field.form == "number" and not is_number(value):
            yield Problem("not-a-number", f"{field.path} is {value!r}")


def boamps(document: Mapping[str, Any], where: str) -> list[Claim]:
    """A BoAmps report, one claim a measure."""
    own = form("boamps")
    problems = list(gaps(own, document))
    for path, choices in ENUMS.items():
        value = at(document, path)
        if value is not None and value not in choices:
            problems.append(Problem("field", f"{path} is {value!r}, none of {', '.join(choices)}"))
    billions = at(document, "task.algorithms.0.parametersNumber")
    if is_number(billions, MOST_BILLIONS):
        problems.append(Problem("unit", f"parametersNumber is {billions:g} billions"))
    for name in ("averageUtilizationCpu", "averageUtilizationGpu"):
        share = at(document, f"measures.0.{name}")
        if share is not None and not is_number(share, 0, 1):
            problems.append(Problem("share", f"{name} is {share}: a share is 0 to 1"))
    words = {
        "name": at(document, "task.algorithms.0.foundationModelName"),
        "chip": at(document, "infrastructure.components.0.componentName"),
        "zone": at(document, "environment.country"),
    }
    known = {key: str(text) for key, text in words.items() if text}
    return [Claim(where, numbers_of(own, document), known, tuple(problems))]


def documentation(document: Mapping[str, Any], where: str) -> list[Claim]:
    """The European form: its buckets and orders of magnitude are those of its figures."""
    own = form("eu-mdf")
    problems = list(gaps(own, document))
    value = {field.path.split(".")[1]: at(document, field.path) for field in own.fields}
    if is_number(value["total_parameters"]) and value["size_bucket"] is not None:
        bucket = size_bucket(value["total_parameters"])
        if bucket != value["size_bucket"]:
            problems.append(Problem("field", f"the size is {value['size_bucket']}, not {bucket}"))
    days, months = value["training_time"], value["training_time_bucket"]
    # Rounding to two digits moves a time near a bound to the next bucket.
    if is_number(days) and months is not None:
        near = [time_bucket(days * S_PER_DAY * factor) for factor in (0.95, 1.0, 1.05)]
        if months not in near:
            problems.append(Problem("field", f"the time is {months}; {days:g} days"))
    compute, order = value["training_compute"], value["training_compute_order"]
    if is_number(compute) and is_number(order, 1) and not 0.95 * order <= compute < 10 * order:
        problems.append(Problem("field", f"the order is {order:g}; {compute:g} FLOP"))
    unit = at(document, "items.training_energy.unit")
    if unit not in (None, "MWh"):
        problems.append(Problem("unit", f"the energy is in {unit}; the form has MWh"))
    for key in ("compute_methodology", "energy_methodology"):
        if not at(document, f"{key}.text"):
            problems.append(Problem("field", f"{key} is empty"))
    words = {"name": str(document.get("model", ""))}
    # The form has no field for active parameters: its text on method says that they are fewer.
    if SPARSE.search(str(at(document, "compute_methodology.text"))):
        words["kind"] = "moe"
    boundary = at(document, "items.training_energy.boundary")
    words |= {"boundary": str(boundary)} if boundary else {}
    words |= {"chip": str(value["hardware"])} if value["hardware"] else {}
    words |= {key: str(value[key]) for key in ("begin", "end") if value.get(key)}
    return [Claim(where, numbers_of(own, document), words, tuple(problems))]


def scores(document: Mapping[str, Any], where: str) -> list[Claim]:
    """SCI scores: each is (O + M) per R, without what the standard leaves out."""
    is_ai = "scores" in document
    own = form("sci-ai" if is_ai else "sci")
    problems = list(gaps(own, document))
    operation, embodied = at(document, "O_g"), at(document, "M_g")
    if is_number(operation) and is_number(embodied):
        carbon = operation + embodied
        problems += _score_problems(document, carbon, is_ai=is_ai)
    numbers = numbers_of(own, document)
    if "energy_facility_j" in numbers:
        numbers["energy_j"] = numbers["energy_facility_j"]
    words = {"name": str(document.get("model", document.get("software", "")))}
    return [Claim(where, numbers, words | {"boundary": "facility"}, tuple(problems))]


def _score_problems(
    document: Mapping[str, Any], carbon: float, *, is_ai: bool
) -> Iterator[Problem]:
    """Scores that are not (O + M) / R; several are each checked."""
    counts = {
        "FLOP effective": (at(document, "flop"), 1e15),
        "training token gross": (at(document, "tokens"), 1e6),
        "parameter gross": (at(document, "parameters_b"), 1.0),
        "parameter effective": (at(document, "active_parameters_b"), 1.0),
    }
    if is_ai:
        for score in items(document, "scores"):
            name = f"{at(score, 'functional_unit')} {at(score, 'values')}"
            count, each = counts.get(name, (None, 1.0))
            units = count / each if is_number(count, 1e-30) else None
            yield from _off(name, at(score, "value"), carbon, units)
    else:
        count = at(document, "R_count")
        units = count if is_number(count, 1e-30) else None
        yield from _off("the score", at(document, "score.value"), carbon, units)


def _off(name: str, value: Any, carbon: float, units: float | None) -> Iterator[Problem]:
    if not is_number(value):
        yield Problem("not-a-number", f"{name} is {value!r}")
    elif units and abs(value * units - carbon) > 0.01 * carbon:
        yield Problem(
            "netted",
            f"{name} is {significant(value)} g; (O + M) / R is {significant(carbon / units)} g",
        )


def telemetry(document: Mapping[str, Any], where: str) -> list[Claim]:
    """OTLP metrics: joules in J, watts in W, and the ones the others' over the time."""
    claims = []
    for resource in items(document, "resourceMetrics"):
        problems: list[Problem] = []
        joules, watts = 0.0, 0.0
        seconds = 0.0
        for metric in items(resource, "scopeMetrics.0.metrics"):
            name, unit = str(at(metric, "name")), at(metric, "unit")
            points = items(metric, "sum.dataPoints") or items(metric, "gauge.dataPoints")
            values = [at(point, "asDouble") for point in points]
            expected = {"energy": "J", "power": "W"}.get(name.rpartition(".")[2])
            if expected and unit != expected:
                problems.append(Problem("unit", f"{name} is in {unit}; the conventions have J, W"))
            if not all(is_number(value) for value in values):
                problems.append(Problem("not-a-number", f"a point of {name} is no number"))
                continue
            for value in values:
                if value < 0:
                    problems.append(Problem("negative", f"a point of {name} is {value:g}"))
            if expected == "J":
                joules += sum(values)
                seconds = max([seconds, *map(_seconds, points)])
            elif expected == "W":
                watts += sum(values)
        if watts and seconds and abs(watts * seconds - joules) > 0.02 * abs(joules):
            problems.append(
                Problem(
                    "field",
                    f"{significant(watts)} W over {significant(seconds)} s are not "
                    f"{significant(joules)} J",
                )
            )
        claims.append(Claim(where, {"energy_j": joules} if joules > 0 else {}, {}, tuple(problems)))
    return claims


def _seconds(point: Any) -> float:
    try:
        span = int(point["timeUnixNano"]) - int(point["startTimeUnixNano"])
    except (KeyError, TypeError, ValueError):
        return 0.0
    return span / 1e9
