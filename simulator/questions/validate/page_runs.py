"""The page of `simulator validate --runs`."""

from __future__ import annotations

from rich.table import Table as Page

from energy.reports.terminal import table
from simulator.kit.answer import Terminal
from simulator.published.runs import CALENDAR
from simulator.questions.validate.page_summary import skipped_lines, summary_cells
from simulator.questions.validate.runs import COMPARISONS, Runs, WholeRun


def runs_page(runs: Runs, console: Terminal) -> None:
    """Print every run, then the errors of each figure."""
    console.print(_runs(runs))
    console.print()
    console.print(_errors(runs))
    for line in skipped_lines(runs.skipped, "runs"):
        console.print(line, markup=False)


def _runs(runs: Runs) -> Page:
    page = table(
        "run",
        "chip-hours reported",
        "blind",
        "80 % band",
        "watts reported",
        "blind",
        "MWh reported",
        "blind",
        "from its hours",
        title="whole runs: modelled and reported",
    )
    for run in runs.runs:
        hours, watts, energy = run.chip_hours_blind, run.watts_blind, run.energy_blind
        page.add_row(
            run.row.run_id,
            _hours(run),
            _number(hours.predicted),
            f"{_number(hours.low)} to {_number(hours.high)}",
            f"{_number(watts.reported)} {run.row.scope}" if watts.reported else "missing",
            _number(watts.predicted),
            _number(energy.reported),
            _number(energy.predicted),
            _number(run.energy_conditional.predicted),
        )
    return page


def _errors(runs: Runs) -> Page:
    page = table(
        "",
        "runs",
        "median error",
        "90th percentile",
        "signed median",
        "in band",
        "high / low",
        "median of developers",
        title="only measured hours and energy from measured watts are judged",
    )
    for figure, way in COMPARISONS:
        summary = runs.summary(figure, way)
        if summary.n:
            count, median, _, p90, signed, coverage, ratio, each = summary_cells(summary)
            page.add_row(f"{figure}, {way}", count, median, p90, signed, coverage, ratio, each)
    return page


def _hours(run: WholeRun) -> str:
    """Reported chip-hours, and what they are where they are not hours of the calendar."""
    hours, basis = _number(run.chip_hours_blind.reported), run.row.hours_basis
    known = run.chip_hours_blind.reported is None or basis == CALENDAR
    return hours if known else f"{hours} ({basis})"


def _number(value: float | None) -> str:
    if value is None:
        return "missing"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
