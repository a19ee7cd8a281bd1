"""The page of `simulator serve --sweep`."""

from __future__ import annotations

from typing import Any

from energy.reports.terminal import table
from simulator.kit.answer import Terminal
from simulator.questions.serve.batches import Batches, as_rows


def page(answer: Batches, console: Terminal) -> None:
    """Print a line for each batch, and name the knee."""
    console.print(answer.headline, style="bold", markup=False)
    console.print()
    rows = table("batch", "joules a token", "80 % band", "between tokens", "first", "tokens/s", "")
    for row in as_rows(answer):
        known = row["j_per_token"] is not None
        rows.add_row(
            f"{row['batch']:,.0f}",
            f"{row['j_per_token']:.3g} J" if known else "missing",
            f"{row['j_per_token_low']:.3g} to {row['j_per_token_high']:.3g}" if known else "",
            f"{1e3 * row['itl_s']:.3g} ms",
            f"{1e3 * row['ttft_s']:.3g} ms",
            f"{row['tokens_per_s']:,.0f}",
            "knee" if row["knee"] else "",
        )
    console.print(rows)
    for note in answer.notes:
        console.print(f"note: {note}", markup=False)


def as_json(answer: Batches) -> dict[str, Any]:
    """The batches, and which is the knee."""
    return {
        "model": answer.resolved.name,
        "chip": answer.resolved.chip.id,
        "chips": answer.request.chips,
        "knee_batch": float(answer.batches[answer.knee]),
        "batches": as_rows(answer),
        "notes": list(answer.notes),
    }
