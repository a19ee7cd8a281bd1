"""The page of `simulator pareto`: the front, each point with its plan and why it is there."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from energy.quantity import Quantity
from energy.reports.terminal import table
from energy.units import significant
from simulator.plans.front import NEAR
from simulator.questions.sweep.cells import MEASURES
from simulator.questions.sweep.known import MEASURED, origins
from simulator.questions.sweep.pareto import OBJECTIVES, Pareto


def page(answer: Pareto, console: Console) -> None:
    """Print the front, then what was searched."""
    console.print(answer.headline, style="bold")
    console.print()
    rows = table(
        "", "model", "chips", MEASURED, "place", "time", "energy", "CO2e", "dollars", "why"
    )
    for column in (1, 4, 9):
        rows.columns[column].justify = "left"
    for number, choice in enumerate(answer.choices, 1):
        cell, hardware = choice.cell, choice.cell.scenario.hardware
        rows.add_row(
            str(number),
            cell.model,
            f"{hardware.count:,} {hardware.chip}",
            cell.measured,
            cell.place,
            *(_cell(choice.quantities[name]) for name in OBJECTIVES),
            choice.why + (f"; {choice.near} more within {NEAR:.0%}" if choice.near else ""),
        )
    console.print(rows)
    console.print()
    rows = table("", "plan", *(f"{what}, 80 % band" for what in ("time", "energy", "CO2e")))
    rows.columns[1].justify = "left"
    for number, choice in enumerate(answer.choices, 1):
        ends = (choice.quantities[name].ends() for name in ("weeks", "mwh", "co2"))
        rows.add_row(str(number), choice.plan_words, *ends)
    console.print(rows)
    console.print(f"all of it: {origins(answer.choices)}")
    console.print()
    console.print(
        f"{answer.considered:,} configurations predicted (each plan at each place), "
        f"{answer.feasible:,} fit in memory, {answer.dominated:,} of them dominated or equal "
        "to one of the front"
    )
    for where, reason in answer.left_out.items():
        console.print(f"left out: {where}: {reason}", markup=False)
    for note in answer.notes:
        console.print(f"note: {note}", markup=False)


def as_json(answer: Pareto) -> dict[str, Any]:
    """The answer with the names that scripts rely on."""
    return {
        "name": answer.name,
        "objectives": list(answer.objectives),
        "considered": answer.considered,
        "feasible": answer.feasible,
        "on_front": answer.on_front,
        "dominated": answer.dominated,
        "front": [
            {
                **choice.where(),
                **choice.quantities,
                "why": choice.why,
                "near": choice.near,
                "plan": choice.degrees(),
            }
            for choice in answer.choices
        ],
        "cells": [
            {
                "model": cell.model,
                "chip": cell.scenario.hardware.chip,
                "chips": cell.scenario.hardware.count,
                "place": cell.place,
                "plans": cell.considered,
                "fit": cell.feasible,
                "fastest": {
                    name: None if value != value else value
                    for name, value in zip(MEASURES, cell.costs[0].tolist(), strict=True)
                },
            }
            for cell in answer.cells
        ],
        "left_out": answer.left_out,
        "notes": list(answer.notes),
    }


def _cell(quantity: Quantity) -> str:
    if quantity.value is None:
        return "missing"
    return f"{significant(quantity.value)} {quantity.unit}"
