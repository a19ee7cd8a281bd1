"""The formats of `energy report --format`: each with its writer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from energy.console import plain
from energy.disclosure.facts import Facts
from energy.disclosure.forms import form, require
from energy.errors import require_choice


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
        writer: module of `energy.disclosure.writers`, and its function.
        ending: of its files.
        holds: where band and origin stand in it.
    """

    writer: str
    ending: str
    holds: str


FORMATS: Mapping[str, Format] = {
    "eu-mdf": Format("documentation_form.written", ".json", "beside every item; method texts"),
    "hf-card": Format("card.written", ".md", "`source`, and the section's lines and text"),
    "sci": Format("sci.score", ".json", "beside the score; `method`"),
    "sci-ai": Format("sci.provider_scores", ".json", "beside every score; `method`"),
    "boamps": Format(
        "boamps.written", ".json", "`quality`, `measurementMethod`, `taskDescription`"
    ),
    "spdx": Format("spdx.written", ".json", "text of `ai_informationAboutTraining`"),
    "cyclonedx": Format("cyclonedx.written", ".json", "`properties` of the consumption"),
    "mlperf-power": Format("power_log.written", ".json", "beside every node"),
    "otel": Format("telemetry.otlp", ".json", "attributes of every point"),
    "openmetrics": Format("telemetry.openmetrics", ".txt", "label `origin`, gauges of both ends"),
    "html": Format("page.html", ".html", "beside every figure"),
    "md": Format("page.markdown", ".md", "beside every figure"),
    "csv": Format("emissions_csv.written", ".csv", "the last columns"),
    "json": Format("page.data", ".json", "every fact"),
}
"""The formats by name."""


def write(name: str, facts: Facts, record: str, **options: Any) -> str:
    """A document of a format.

    Args:
        name: of the format.
        facts: what is known.
        record: how the record is named in a command that supplies what is missing.
        options: of the writer: `spec_version` of CycloneDX.

    Raises:
        MissingDataError: a required field is missing.
        InputError: there is no such format.
    """
    require_choice("--format", name, FORMATS)
    require(form(name), facts, record)
    module, _, function = FORMATS[name].writer.rpartition(".")
    writer: Callable[..., Any] = getattr(
        import_module(f"energy.disclosure.writers.{module}"), function
    )
    document = writer(facts, **options)
    if isinstance(document, str):
        return document
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False, default=plain) + "\n"
