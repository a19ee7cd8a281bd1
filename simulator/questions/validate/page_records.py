"""The page of `simulator validate --records`."""

from __future__ import annotations

from collections.abc import Iterable

from energy.reports.terminal import table
from simulator.kit.answer import Terminal
from simulator.questions.validate.records import Agreement, Row


def records_page(agreements: Iterable[Agreement], console: Terminal) -> None:
    """Print predicted and measured numbers, one table per run."""
    for agreement in agreements:
        page = table(
            "",
            "predicted",
            "band",
            "origin",
            "measured",
            "origin",
            "error",
            "in band",
            title=f"{agreement.name}: measured and predicted",
        )
        for row in agreement.rows:
            page.add_row(row.name, *_cells(row))
        console.print(page)
        for note in agreement.notes():
            console.print(f"note: {note}", markup=False)
        console.print()


def _cells(row: Row) -> tuple[str, ...]:
    error = "" if row.error is None else f"{row.error:+.1%}"
    in_band = {True: "yes", False: "no", None: ""}[row.in_band]
    if row.counted:
        in_band += " (counted)"
    elif row.both_modelled:
        in_band += " (both modelled)"
    return (
        row.predicted.human(),
        row.predicted.band(),
        row.predicted.origins,
        row.measured.human(),
        "counted" if row.counted else row.measured.origins,
        error,
        in_band.strip(),
    )
