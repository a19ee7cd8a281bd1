"""The page of `simulator models PATH`: a configuration, counted part by part."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from energy.flops import model_flop
from energy.reports.terminal import table
from energy.shape import ACTIVE_CONVENTION, active_parameters, parameters, total
from energy.units import count
from simulator.questions.catalog.answer import Configured


def page(answer: Configured, console: Console) -> None:
    """Print the parts of the model, or why it was refused."""
    if answer.configuration is None:
        console.print(str(answer.error), markup=False)
        return
    shape = answer.configuration.shape
    parts, active = parameters(shape), active_parameters(shape)
    lines = table(f"{answer.name} ({answer.configuration.family})", "parameters", "active a token")
    for part, number in parts.items():
        if float(number):
            lines.add_row(part, count(float(number)), count(float(active.get(part, 0))))
    lines.add_section()
    lines.add_row("all", *(f"{float(total(each)):,.0f}" for each in (parts, active)))
    console.print(lines)
    flop = float(total(model_flop(shape)))
    console.print(f"training: {flop:.4g} FLOP a token of sequences of {shape.seq_len:,}")
    console.print("active: without the input embedding, of which a token passes one row")
    for note in answer.configuration.notes:
        console.print(f"note: {note}", markup=False)


def as_json(answer: Configured) -> dict[str, Any]:
    """The counts as plain data, with the names that scripts rely on."""
    data: dict[str, Any] = {
        "name": answer.name,
        "params_total": None,
        "params_active": None,
        "active_convention": ACTIVE_CONVENTION,
        "refused": list(answer.error.names) if answer.error else [],
    }
    if answer.configuration is None:
        return data | {"why": str(answer.error)}
    shape = answer.configuration.shape
    return data | {
        "family": answer.configuration.family,
        "params_total": float(total(parameters(shape))),
        "params_active": float(total(active_parameters(shape))),
        "params_active_with_both_embeddings": float(
            total(active_parameters(shape, "with-both-embeddings"))
        ),
        "model_flop_per_token": float(total(model_flop(shape))),
        "parts": {part: float(number) for part, number in parameters(shape).items()},
        "shape": shape.as_dict(),
        "notes": list(answer.configuration.notes),
    }


def frame_rows(answer: Configured) -> list[dict[str, Any]]:
    """One row for each part of the model; none of a configuration that was refused."""
    if answer.configuration is None:
        return []
    shape = answer.configuration.shape
    active = active_parameters(shape)
    return [
        {"part": part, "parameters": float(number), "active": float(active.get(part, 0))}
        for part, number in parameters(shape).items()
    ]
