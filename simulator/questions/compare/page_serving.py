"""What `simulator compare --serving` adds to the page: models when they answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from energy.quantity import Quantity
from energy.reports.terminal import table
from simulator.kit.answer import Terminal

if TYPE_CHECKING:
    from simulator.questions.compare.serving import ServedSide

RELIED_ON = ("j_per_token", "itl_s", "ttft_s", "tokens_per_s", "largest_batch")


def serving_page(sides: Sequence[ServedSide], console: Terminal) -> None:
    """Print a column for each model."""
    console.print()
    rows = table("when they answer", *(side.name for side in sides))
    rows.add_row("FLOP a token, published", *(_text(side.published_flop) for side in sides))
    rows.add_row("FLOP a token, counted", *(_text(side.flop) for side in sides))
    requests = [side.figures.request for side in sides]
    rows.add_row("chips", *(f"{item.chips} x {item.chip}" for item in requests))
    rows.add_row("batch", *(f"{item.batch:g}" for item in requests))
    labels = {
        "j_per_token": "joules a token, chips",
        "itl_s": "time between tokens",
        "tokens_per_s": "tokens a second",
    }
    for name, label in labels.items():
        rows.add_row(label, *(str(side.figures.quantities[name]) for side in sides))
    rows.add_row("joules a token, facility", *(str(side.figures.facility_j) for side in sides))
    console.print(rows)
    for note in dict.fromkeys(note for side in sides for note in side.notes):
        console.print(f"note: {note}", markup=False)


def _text(quantity: Quantity) -> str:
    return "not published" if quantity.value is None else f"{quantity.value / 1e9:,.0f} GFLOP"


def as_json(sides: Sequence[ServedSide]) -> list[dict[str, Any]]:
    """A table for each model."""
    return [
        {
            "name": side.name,
            "flop_per_token": side.flop,
            "published_flop_per_token": side.published_flop,
            "chip": side.figures.resolved.chip.id,
            "chips": side.figures.request.chips,
            "batch": side.figures.request.batch,
            "facility_j_per_token": side.figures.facility_j,
            "notes": list(side.figures.notes),
        }
        | {name: side.figures.quantities[name] for name in RELIED_ON}
        for side in sides
    ]
