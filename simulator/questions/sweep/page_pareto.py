"""The page of `simulator pareto`: the front, each point with its plan and why it is there."""

from __future__ import annotations

from typing import Any

from energy.quantity import Quantity
from energy.reports.words import band, console, table
from energy.units import significant
from simulator.physics.plan import AXES
from simulator.plans.front import NEAR
from simulator.questions.sweep.cells import MEASURES
from simulator.questions.sweep.pareto import OBJECTIVES, WORDS, Pareto


def page(found: Pareto) -> None:
    """Print the front, then what it was found among."""
    out = console()
    names = ", ".join(WORDS[name] for name in found.objectives)
    out.print(
        f"{found.name}: {found.on_front:,} of {found.feasible:,} configurations are on the "
        f"front of {names}",
        style="bold",
    )
    out.print()
    rows = table("", "model", "chips", "place", "time", "energy", "CO2e", "dollars", "why")
    for column in (1, 3, 8):
        rows.columns[column].justify = "left"
    for number, choice in enumerate(found.choices, 1):
        cell, hardware = choice.cell, choice.cell.scenario.hardware
        rows.add_row(
            str(number),
            cell.model,
            f"{hardware.count:,} {hardware.chip}",
            cell.place,
            *(_cell(choice.quantities[name]) for name in OBJECTIVES),
            choice.why + (f"; {choice.near} more within {NEAR:.0%}" if choice.near else ""),
        )
    out.print(rows)
    out.print()
    rows = table("", "plan", "time, band", "energy, band", "CO2e, band", "origin")
    rows.columns[1].justify = "left"
    for number, choice in enumerate(found.choices, 1):
        ends = (band(choice.quantities[name]) for name in ("weeks", "mwh", "co2"))
        rows.add_row(str(number), choice.plan_words, *ends, choice.quantities["mwh"].origin)
    out.print(rows)
    out.print()
    out.print(
        f"{found.considered:,} configurations predicted (each plan at each place), "
        f"{found.feasible:,} fit in memory, {found.dominated:,} of them dominated or equal "
        "to one of the front"
    )
    for where, reason in found.left_out.items():
        out.print(f"left out: {where}: {reason}", markup=False)
    for note in found.notes:
        out.print(f"note: {note}", markup=False)


def as_json(found: Pareto) -> dict[str, Any]:
    """The same with the names that scripts rely on."""
    return {
        "name": found.name,
        "objectives": list(found.objectives),
        "considered": found.considered,
        "feasible": found.feasible,
        "on_front": found.on_front,
        "dominated": found.dominated,
        "front": [
            {
                "model": choice.cell.model,
                "kind": "moe" if choice.cell.sparse else "dense",
                "chip": choice.cell.scenario.hardware.chip,
                "chips": choice.cell.scenario.hardware.count,
                "place": choice.cell.place,
                **choice.quantities,
                "why": choice.why,
                "near": choice.near,
                "plan": {name: getattr(choice.plan, name) for name in AXES},
            }
            for choice in found.choices
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
            for cell in found.cells
        ],
        "left_out": found.left_out,
        "notes": list(found.notes),
    }


def _cell(quantity: Quantity) -> str:
    if quantity.value is None:
        return "missing"
    return f"{significant(quantity.value)} {quantity.unit}"
