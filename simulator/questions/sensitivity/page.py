"""The page of `simulator sensitivity`: a tornado in text, and all assumptions together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from energy.quantity import Quantity
from energy.reports.words import band, console, human, table
from simulator.questions.sensitivity.answer import Bar
from simulator.terms import Term

WIDTH = 40


def page(name: str, answer: Term, bars: Sequence[Bar], together: Quantity) -> None:
    """Print the answer, its bars, and the band with every assumption moving at once."""
    out = console()
    out.print(f"{name}: {answer.name} {answer.quantity}", style="bold")
    found = table(
        "assumption",
        "value",
        "answer at its low end",
        "at its high end",
        "swing",
        "",
        title="one assumption at a time, over its own band",
    )
    found.columns[-1].justify = "left"
    largest = max((bar.swing for bar in bars), default=0.0)
    middle = answer.quantity.value or 1.0
    for bar in bars:
        drawn = "█" * (round(WIDTH * bar.swing / largest) if largest else 0)
        found.add_row(
            bar.name,
            str(bar.quantity),
            _at(answer, bar.at_low),
            _at(answer, bar.at_high),
            f"{bar.swing / middle:.0%}",
            drawn,
        )
    out.print(found)
    if not bars:
        out.print("no assumption has a band: every number is exact")
    out.print(f"all together, 80 % band: {band(together)}")


def as_json(name: str, answer: Term, bars: Sequence[Bar], together: Quantity) -> dict[str, Any]:
    """The same as plain data."""
    return {
        "name": name,
        "answer": answer.name,
        "quantity": answer.quantity,
        "bars": [
            {
                "name": bar.name,
                "quantity": bar.quantity,
                "at_low": bar.at_low,
                "at_high": bar.at_high,
                "swing": bar.swing,
            }
            for bar in bars
        ],
        "together": together,
    }


def _at(answer: Term, value: float) -> str:
    return human(Quantity.exact(value, answer.quantity.unit, "moved", answer.quantity.origin))
