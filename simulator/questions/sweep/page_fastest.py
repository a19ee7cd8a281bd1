"""The page of `simulator sweep`: a row for every choice, with bands, and its plan."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from energy.reports.terminal import table
from energy.tables import html_rows
from simulator.questions.sweep.fastest import Sweep
from simulator.questions.sweep.known import MEASURED, origins

COLUMNS = {"time_h": "time", "energy_mwh": "energy", "co2_t": "CO2e", "cost_usd": "dollars"}


def page(answer: Sweep, console: Console) -> None:
    """Print what every choice takes, then how it is spread over its chips."""
    console.print(answer.headline, style="bold")
    console.print()
    heads, cells = _table(answer)
    rows = table(*heads, MEASURED, "plan", left=("place", "plan"))
    for row, texts in zip(answer.rows, cells, strict=True):
        rows.add_row(*texts, row.cell.measured, row.plan_words)
    console.print(rows)
    console.print()
    console.print(f"all of it: {origins(answer.rows)}")
    for where, reason in answer.left_out.items():
        console.print(f"left out: {where}: {reason}", markup=False)
    for note in answer.notes:
        console.print(f"note: {note}", markup=False)


def as_json(answer: Sweep) -> dict[str, Any]:
    """The answer with the names that scripts rely on."""
    return {
        "name": answer.name,
        "rows": [
            {
                **row.where(),
                **row.amounts,
                "plan": row.degrees(),
            }
            for row in answer.rows
        ],
        "left_out": answer.left_out,
        "notes": list(answer.notes),
    }


def html(answer: Sweep) -> str:
    """What every choice takes with bands, for notebooks."""
    heads, rows = _table(answer)
    return html_rows(heads, rows, caption=answer.headline, left=3)


def _table(answer: Sweep) -> tuple[list[str], list[list[str]]]:
    """Titles, and the cells of every row: where it runs, then what it takes."""
    amounts = [row.amounts for row in answer.rows]
    known = [name for name in COLUMNS if any(each[name].value is not None for each in amounts)]
    heads = [title for name in known for title in (COLUMNS[name], "80 % band")]
    cells = []
    for row, each in zip(answer.rows, amounts, strict=True):
        hardware = row.cell.scenario.hardware
        where = [row.cell.model, f"{hardware.count:,} {hardware.chip}", row.cell.place]
        cells.append(
            where + [text for name in known for text in (each[name].human(), each[name].ends())]
        )
    return ["model", "chips", "place", *heads], cells
