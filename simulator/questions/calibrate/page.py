"""The page of `simulator calibrate`: that of a machine, or that of constants of tables."""

from __future__ import annotations

from typing import Any

from simulator.kit.answer import Terminal
from simulator.questions.calibrate.answer import FittedConstants, FittedMachine, FittedServing
from simulator.questions.calibrate.page_constants import constants_page
from simulator.questions.calibrate.page_machine import machine_as_json, machine_page

AnyFitted = FittedMachine | FittedConstants | FittedServing


def page(answer: AnyFitted, console: Terminal) -> None:
    """Print fitted constants beside their priors."""
    if isinstance(answer, FittedMachine):
        machine_page(answer, console)
    else:
        constants_page(answer, console)


def frame_rows(answer: AnyFitted) -> list[dict[str, Any]]:
    """A row for each constant, whose unit is a column."""
    return [
        {
            "name": name,
            "value": value,
            "prior": answer.priors[name].value,
            "unit": answer.priors[name].unit,
            "not_identified": answer.not_identified.get(name, ""),
        }
        for name, value in answer.values.items()
    ]


def as_json(answer: AnyFitted) -> dict[str, Any]:
    """The content of the file that is written."""
    if isinstance(answer, FittedMachine):
        return machine_as_json(answer)
    if isinstance(answer, FittedServing):
        return answer.serving.as_dict()
    return answer.pool.as_dict()
