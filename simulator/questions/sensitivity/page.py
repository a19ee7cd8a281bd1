"""The page of `simulator sensitivity`: a tornado in text, and all assumptions together."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from energy.quantity import Quantity
from energy.reports.terminal import table
from energy.rows import with_unit
from simulator.questions.sensitivity.answer import Sensitivity
from simulator.terms import Term

WIDTH = 40
"""Characters of the longest bar."""


def page(sensitivity: Sensitivity, console: Console) -> None:
    """Print the result, its bars, and the band with every assumption varying at once."""
    result = sensitivity.result
    console.print(sensitivity.headline, style="bold")
    rows = table(
        "assumption",
        "value",
        f"{result.name} at its low end",
        "at its high end",
        "swing",
        "",
        title="one assumption at a time, over its own band",
    )
    rows.columns[-1].justify = "left"
    largest = max((bar.swing for bar in sensitivity.bars), default=0.0)
    middle = result.quantity.value or 1.0
    for bar in sensitivity.bars:
        rows.add_row(
            bar.name,
            str(bar.quantity),
            _at(result, bar.at_low),
            _at(result, bar.at_high),
            f"{bar.swing / middle:.0%}",
            "█" * (round(WIDTH * bar.swing / largest) if largest else 0),
        )
    console.print(rows)
    if not sensitivity.bars:
        console.print("no assumption has a band: every number is exact")
    console.print(f"all together, {sensitivity.together.band()}")


def as_json(sensitivity: Sensitivity) -> dict[str, Any]:
    """The result, its bars and the band of all assumptions."""
    return {
        "name": sensitivity.name,
        "answer": sensitivity.result.name,
        "quantity": sensitivity.result.quantity,
        "bars": [
            {
                "name": bar.name,
                "quantity": bar.quantity,
                "at_low": bar.at_low,
                "at_high": bar.at_high,
                "swing": bar.swing,
            }
            for bar in sensitivity.bars
        ],
        "together": sensitivity.together,
    }


def frame_rows(sensitivity: Sensitivity) -> list[dict[str, Any]]:
    """A row for each assumption, whose unit is a column; the result has its own in the names."""
    unit = sensitivity.result.quantity.unit
    return [
        {
            "name": bar.name,
            "value": bar.quantity.value,
            "low": bar.quantity.low,
            "high": bar.quantity.high,
            "unit": bar.quantity.unit,
            "origin": str(bar.quantity.origin),
            with_unit("at_low", unit): bar.at_low,
            with_unit("at_high", unit): bar.at_high,
            with_unit("swing", unit): bar.swing,
        }
        for bar in sensitivity.bars
    ]


def _at(result: Term, value: float) -> str:
    return Quantity.exact(value, result.quantity.unit, "varied", result.quantity.origin).human()
