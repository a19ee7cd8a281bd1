"""The validators that others have for their formats: each says what is wrong, or nothing."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

Validator = Callable[[str], str | None]


def _of_hub(text: str) -> str | None:
    """The metadata parser of huggingface_hub."""
    from huggingface_hub import ModelCard

    return _raised(lambda: str(ModelCard(text).data))


def _of_codecarbon(text: str) -> str | None:
    """CodeCarbon's own BoAmps models: there and back unchanged."""
    from codecarbon.output_methods.boamps.models import BoAmpsReport

    document = json.loads(text)
    return _raised(lambda: _same(BoAmpsReport.from_dict(document).to_dict(), document))


def _same(first: Any, other: Any) -> None:
    if first != other:
        raise ValueError("it comes back changed")


def _of_spdx(text: str) -> str | None:
    """The bindings of spdx-python-model."""
    from spdx_python_model import v3_0_1 as spdx

    def read() -> None:
        spdx.JSONLDDeserializer().read(io.BytesIO(text.encode()), spdx.SHACLObjectSet())

    return _raised(read)


def _of_cyclonedx(text: str) -> str | None:
    """The strict validator of cyclonedx-python-lib."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    problem = JsonStrictValidator(SchemaVersion.V1_7).validate_str(text)
    return None if problem is None else str(problem)


def _of_otlp(text: str) -> str | None:
    """The protocol buffers of OpenTelemetry."""
    from google.protobuf.json_format import Parse
    from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData

    return _raised(lambda: Parse(text, MetricsData()))


def _of_prometheus(text: str) -> str | None:
    """The OpenMetrics parser of prometheus_client."""
    from prometheus_client.openmetrics import parser

    families: Callable[[str], Any] = parser.text_string_to_metric_families
    return _raised(lambda: list(families(text)))


def _raised(read: Callable[[], object]) -> str | None:
    try:
        read()
    except Exception as error:  # whatever a parser raises is its verdict
        return f"{type(error).__name__}: {error}"
    return None


VALIDATORS: dict[str, Validator] = {
    "hf-card": _of_hub,
    "boamps": _of_codecarbon,
    "spdx": _of_spdx,
    "cyclonedx": _of_cyclonedx,
    "otel": _of_otlp,
    "openmetrics": _of_prometheus,
}
