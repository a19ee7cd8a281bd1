"""The page of `simulator serve --machine`."""

from __future__ import annotations

from typing import Any

from energy.quantity import Boundary
from energy.reports.terminal import table
from energy.units import si
from simulator.kit.answer import Terminal
from simulator.questions.serve.machine import Answering
from simulator.questions.serve.page import predicted

LABELS = {
    "tokens_per_s": "tokens a second",
    "itl_s": "time between tokens",
    "ttft_s": "time to first token, no queue",
    "j_per_token": "joules a token",
    "j_per_request": "joules a request",
}

PARTS = {
    "layers": "starting the operations of layers",
    "weights": "reading dense weights",
    "experts": "reading the experts it touches",
    "cache": "reading keys and values",
}
"""Parts of a pass that decodes, and what they are."""


def page(answer: Answering, console: Terminal) -> None:
    """Print rates, joules up to the facility, and where the time of a pass goes."""
    console.print(answer.headline, style="bold", markup=False)
    console.print()
    shown = {label: answer.quantities[name] for name, label in LABELS.items()}
    shown |= {
        f"joules a token, {boundary}": joules
        for boundary, joules in answer.account.totals.items()
        if boundary != answer.machine.hardware.power_boundary
    }
    console.print(predicted(shown))
    console.print()
    parts = table("part of a pass", "time", "share")
    for name, label in PARTS.items():
        seconds = float(getattr(answer.passes, name))
        parts.add_row(label, si(seconds, "s"), f"{seconds / answer.passes.decode:.0%}")
    console.print(parts)
    for note in answer.notes:
        console.print(f"note: {note}", markup=False)


def as_json(answer: Answering) -> dict[str, Any]:
    """The answer with the names of `simulator serve`."""
    totals = answer.account
    return {
        "model": answer.name,
        "machine": answer.machine.hardware.name,
        "batch": answer.batch,
        "isl": answer.isl,
        "osl": answer.osl,
        "feasible": True,
        **answer.quantities,
        "facility_j_per_token": totals.totals.get(Boundary.FACILITY),
        "co2_g_per_token": totals.co2_location_g,
        "step": {name: float(getattr(answer.passes, name)) for name in PARTS}
        | {"mean_s": answer.passes.decode},
        "notes": list(answer.notes),
    }


def frame_rows(answer: Answering) -> list[dict[str, Any]]:
    """A row of the request and its quantities."""
    return [{name: v for name, v in as_json(answer).items() if name not in ("step", "notes")}]
