"""The page of `simulator validate --records`."""

from __future__ import annotations

from collections.abc import Iterable

from energy.reports.words import band, console, human, table
from simulator.questions.validate.records import Agreement, Row


def agreements(found: Iterable[Agreement]) -> None:
    """Print measured against predicted, a table a run."""
    out = console()
    for one in found:
        page = table(
            "",
            "predicted",
            "band",
            "origin",
            "measured",
            "origin",
            "error",
            "in band",
            title=f"{one.name}: measured against predicted",
        )
        for row in one.rows:
            page.add_row(row.name, *_agreement(row))
        out.print(page)
        for note in one.notes():
            out.print(f"note: {note}", markup=False)
        out.print()


def _agreement(row: Row) -> tuple[str, ...]:
    error = "" if row.error is None else f"{row.error:+.1%}"
    inside = {True: "yes", False: "no", None: ""}[row.in_band]
    if row.both_modelled:
        inside += " (both modelled)"
    return (
        human(row.predicted),
        band(row.predicted),
        row.predicted.origins,
        human(row.measured),
        row.measured.origins,
        error,
        inside.strip(),
    )
