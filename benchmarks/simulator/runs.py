"""Whole published runs, blind and given what each reports of itself, as a table of a page.

Run as `python -m benchmarks.simulator.runs --write docs/results-simulator.md`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.pages import markdown_table, write_between
from energy.console import guard
from simulator.fit.pool import published
from simulator.published.runs import read_runs
from simulator.published.shipped import runs_of
from simulator.questions.validate.runs import Guess, Runs, WholeRun, whole_runs

MARK = "runs: benchmarks.simulator.runs"
HEADS = (
    "run",
    "chip-hours reported",
    "blind, 80 % band",
    "W a chip reported",
    "blind",
    "MWh reported",
    "blind, 80 % band",
    "given its hours",
)


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", type=Path, required=True, help="a page whose table is made anew")
    page = parser.parse_args().write
    guard(
        lambda: write_between(
            page, MARK, told(whole_runs(read_runs(runs_of("published")), published()))
        )
    )


def told(found: Runs) -> str:
    """The table, and what could not be predicted."""
    left = "\n".join(f"- {name}: {why}" for name, why in found.skipped.items())
    table = markdown_table(HEADS, [line(run) for run in found.runs])
    return (
        f"{table}\n\n<details><summary>{len(found.skipped)} more runs are not predicted"
        f"</summary>\n\n{left}\n\n</details>"
    )


def line(run: WholeRun) -> tuple[str, ...]:
    """A run; a reported number outside its band is marked with an exclamation mark."""
    watts = run.watts_blind
    return (
        run.row.run_id,
        _reported(run.chip_hours_blind),
        _band(run.chip_hours_blind),
        f"{_reported(watts)} {run.row.scope}" if watts.reported else "",
        _number(watts.predicted),
        _reported(run.energy_blind),
        _band(run.energy_blind),
        _band(run.energy_conditional),
    )


def _band(guess: Guess) -> str:
    if guess.predicted is None:
        return ""
    words = f"{_number(guess.predicted)} ({_number(guess.low)} to {_number(guess.high)})"
    return f"{words} !" if guess.in_band is False else words


def _reported(guess: Guess) -> str:
    return _number(guess.reported) if guess.reported else ""


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    main()
