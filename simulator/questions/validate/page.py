"""The page of `simulator validate`: rows, whole runs and records, each where it was requested."""

from __future__ import annotations

from typing import Any

from simulator.kit.answer import Terminal
from simulator.questions.validate.answer import Validated
from simulator.questions.validate.page_records import records_page
from simulator.questions.validate.page_runs import runs_page
from simulator.questions.validate.page_serving import serving_page
from simulator.questions.validate.page_throughput import throughput_page


def page(answer: Validated, console: Terminal) -> None:
    """Print everything that was validated."""
    if answer.throughput is not None:
        throughput_page(answer.throughput, console)
    if answer.runs is not None:
        runs_page(answer.runs, console)
    if answer.serving is not None:
        serving_page(answer.serving, console)
    if answer.agreements is not None:
        records_page(answer.agreements, console)


def frame_rows(answer: Validated) -> dict[str, Any] | list[Any]:
    """A row for each published row or whole run, or else for each number of the own records."""
    if answer.throughput is not None or answer.runs is not None:
        return as_json(answer)
    if answer.serving is not None:
        return answer.serving.rows_as_json()
    return [
        {
            "run": agreement.name,
            "name": row.name,
            "unit": row.predicted.unit,
            "predicted": row.predicted.value,
            "low": row.predicted.low,
            "high": row.predicted.high,
            "predicted_origin": str(row.predicted.origin),
            "measured": row.measured.value,
            "measured_origin": str(row.measured.origin),
            "error": row.error,
            "in_band": row.in_band,
        }
        for agreement in answer.agreements or ()
        for row in agreement.rows
    ]


def as_json(answer: Validated) -> dict[str, Any]:
    """All parts in one object; their keys do not overlap."""
    table: dict[str, Any] = {}
    if answer.throughput is not None:
        table |= answer.throughput.as_json()
    if answer.runs is not None:
        table |= answer.runs.as_json()
    if answer.serving is not None:
        table |= answer.serving.as_json()
    if answer.agreements is not None:
        table["agreements"] = [agreement.as_json() for agreement in answer.agreements]
    return table
