"""The page of `simulator lifetime`."""

from __future__ import annotations

from typing import Any

from energy.quantity import Quantity
from energy.reports.terminal import table
from energy.units import J_PER_MWH
from simulator.kit.answer import Terminal
from simulator.questions.lifetime.answer import Lifetime


def page(answer: Lifetime, console: Terminal) -> None:
    """Print training, a token and the days of each model."""
    console.print(answer.headline, style="bold", markup=False)
    console.print()
    rows = table("", "", "value", "80 % band", "origin")
    for life in answer.lives:
        figures: dict[str, Quantity] = {
            f"training, facility ({answer.basis})": life.training_j,
            "a token, facility": life.token_j,
            "days until serving has spent as much": life.days,
        }
        for place, (label, quantity) in enumerate(figures.items()):
            name = life.name if place == 0 else ""
            rows.add_row(name, label, quantity.human(), quantity.ends(), quantity.origins)
    console.print(rows)
    if answer.even_tokens.value is not None:
        console.print(f"even after {answer.even_tokens}", markup=False)
    if answer.first_ahead is not None:
        console.print(
            f"{answer.lives[0].name} has spent less after a year with a probability of "
            f"{answer.first_ahead:.0%}",
            markup=False,
        )
    for life in answer.lives:
        served = life.serving
        chips = f"{served.request.chips} x {served.resolved.chip.id}"
        console.print(
            f"served: {served.resolved.name} on {chips}, "
            f"batch {served.request.batch:g}, prompts of {served.request.isl:g} and answers of "
            f"{served.request.osl:g} tokens",
            markup=False,
        )
        console.print(f"note: {life.capacity(answer.tokens_per_day)}", markup=False)
        for note in served.notes:
            console.print(f"note: {note}", markup=False)


def as_json(answer: Lifetime) -> dict[str, Any]:
    """The days, and what they follow from."""
    return {
        "tokens_per_day": answer.tokens_per_day,
        "basis": answer.basis,
        "break_even_days": answer.lives[0].days,
        "models": [
            {
                "name": life.name,
                "served": life.serving.resolved.name,
                "training_j": life.training_j,
                "training_mwh": life.training_j.scaled(1 / J_PER_MWH, "MWh"),
                "facility_j_per_token": life.token_j,
                "break_even_days": life.days,
                "busy_groups": life.load(answer.tokens_per_day),
                "quantities": dict(life.serving.quantities),
                "notes": list(life.serving.notes),
            }
            for life in answer.lives
        ],
        "even_tokens": answer.even_tokens,
        "first_ahead_after_a_year": answer.first_ahead,
        "verdict": answer.verdict if len(answer.lives) > 1 else None,
    }


def frame_rows(answer: Lifetime) -> list[dict[str, Any]]:
    """A row for each model."""
    return [
        {
            "name": life.name,
            "training_j": life.training_j,
            "facility_j_per_token": life.token_j,
            "break_even_days": life.days,
        }
        for life in answer.lives
    ]
