"""The page of `simulator serve --plan`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from energy.reports.terminal import table
from simulator.kit.answer import Terminal
from simulator.questions.serve.plans import Option, Planned


def page(answer: Planned, console: Terminal) -> None:
    """Print the ways to serve, the fewest joules first."""
    console.print(answer.headline, style="bold", markup=False)
    console.print()
    heads = ("chips", "tp", "ep", "dp", "batch", "joules a token", "between tokens", "first")
    rows = table(*heads, "tokens/s", "tokens/s a chip")
    for option in answer.options:
        joules = "missing" if answer.by_chip_s else f"{option.j_per_token:.3g} J"
        rows.add_row(
            *(str(value) for value in (option.chips, option.tp, option.ep, option.dp)),
            f"{option.batch:,.0f}",
            joules,
            f"{1e3 * option.itl_s:.3g} ms",
            f"{1e3 * option.ttft_s:.3g} ms",
            f"{option.tokens_per_s:,.0f}",
            f"{option.tokens_per_s / option.chips:,.0f}",
        )
    console.print(rows)
    console.print(f"{answer.considered:,} configurations; each split is shown at its best batch")
    for note in answer.notes:
        console.print(f"note: {note}", markup=False)


def as_json(answer: Planned) -> dict[str, Any]:
    """The ways to serve."""
    low, high = answer.fitted.relative(answer.resolved.kind, "j_per_token", answer.resolved.family)
    return {
        "model": answer.resolved.name,
        "chip": answer.resolved.chip.id,
        "considered": answer.considered,
        "options": [_row(option, low, high) for option in answer.options],
        "notes": list(answer.notes),
    }


def _row(option: Option, low: float, high: float) -> dict[str, Any]:
    row: dict[str, Any] = asdict(option)
    joules = option.j_per_token
    if joules != joules:
        return row | {"j_per_token": None}
    return row | {
        "j_per_token_low": joules * (1 + low),
        "j_per_token_high": joules * (1 + high),
    }
