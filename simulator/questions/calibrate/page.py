"""The page of `simulator calibrate`: that of a machine, or that of constants of tables."""

from __future__ import annotations

from typing import Any

from simulator.kit.answer import Terminal
from simulator.physics.constants import PRIORS
from simulator.questions.calibrate.answer import FittedConstants, FittedMachine
from simulator.questions.calibrate.page_constants import constants_page
from simulator.questions.calibrate.page_machine import machine_as_json, machine_page


def page(answer: FittedMachine | FittedConstants, console: Terminal) -> None:
    """Print fitted constants beside their priors."""
    if isinstance(answer, FittedMachine):
        machine_page(answer, console)
    else:
        constants_page(answer, console)


def frame_rows(answer: FittedMachine | FittedConstants) -> list[dict[str, Any]]:
    """A row for each constant, whose unit is a column."""
    return [
        {
            "name": name,
            "value": value,
            "prior": PRIORS[name].value,
            "unit": PRIORS[name].unit,
            "not_identified": answer.not_identified.get(name, ""),
        }
        for name, value in answer.values.items()
    ]


def as_json(answer: FittedMachine | FittedConstants) -> dict[str, Any]:
    """The content of the file that is written."""
    return machine_as_json(answer) if isinstance(answer, FittedMachine) else answer.pool.as_dict()
