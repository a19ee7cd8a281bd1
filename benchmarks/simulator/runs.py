"""Whole published runs, predicted blind and given what each reports of itself: a table for a page.

python -m benchmarks.simulator.runs --write docs/results-simulator.md
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.pages import markdown_table, write_between
from energy.guard import guard
from simulator.fit.pool import published_pool
from simulator.published.runs import CALENDAR, read_runs
from simulator.published.shipped import runs_of
from simulator.questions.validate.runs import Comparison, Runs, WholeRun, whole_runs

MARK = "runs: benchmarks.simulator.runs"
HEADS = (
    "run",
    "chip-hours reported",
    "blind, 80 % band",
    "W per chip reported",
    "blind",
    "MWh reported",
    "blind, 80 % band",
    "from its hours",
)


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", type=Path, required=True, help="page whose table is replaced")
    page = parser.parse_args().write
    guard(lambda: write_between(page, MARK, text(predict_all())))


def predict_all() -> Runs:
    """Predict every published run with the constants fitted to published rows."""
    return whole_runs(read_runs(runs_of("published")), published_pool())


def text(runs: Runs) -> str:
    """The table, then a list of the runs that could not be predicted."""
    table = markdown_table(HEADS, [cells(run) for run in runs.runs])
    skipped = "\n".join(f"- {name}: {reason}" for name, reason in runs.skipped.items())
    return (
        f"{table}\n\n<details><summary>{len(runs.skipped)} more runs are not predicted"
        f"</summary>\n\n{skipped}\n\n</details>"
    )


def cells(run: WholeRun) -> tuple[str, ...]:
    """The row of a run; an exclamation mark stands where the reported number is out of band."""
    watts, again = run.watts_blind, ", counted once" * run.row.repeats
    return (
        run.row.run_id,
        _hours(run),
        _predicted(run.chip_hours_blind),
        f"{_reported(watts)} {run.row.scope}{again}" if watts.reported else "",
        _number(watts.predicted),
        _reported(run.energy_blind),
        _predicted(run.energy_blind),
        _predicted(run.energy_conditional),
    )


def _hours(run: WholeRun) -> str:
    """Reported chip-hours, what they are if not hours of the calendar, and how well known."""
    figure, row = _reported(run.chip_hours_blind), run.row
    words = [row.hours_basis] if row.hours_basis != CALENDAR else []
    words += [f"within {row.hours_within:.0%}"] if row.hours_within else []
    return f"{figure} ({', '.join(words)})" if figure and words else figure


def _predicted(figure: Comparison) -> str:
    if figure.predicted is None:
        return ""
    number = f"{_number(figure.predicted)} ({_number(figure.low)} to {_number(figure.high)})"
    return f"{number} !" if figure.in_band is False else number


def _reported(figure: Comparison) -> str:
    return _number(figure.reported) if figure.reported else ""


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    main()
