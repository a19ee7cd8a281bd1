"""Cost of whole commands: processor time beside typer and another checkout, and elapsed seconds.

The second table needs --beside: a checkout of an earlier commit, whose commands run in turns with
those of this one. Make it with `git worktree add ../before COMMIT`.

    python -m benchmarks.commands [--beside ../before] [--rounds 9] [--write PAGE] [--json]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from rich.progress import track

from benchmarks.checkouts import require_checkout
from benchmarks.commands import beside, elapsed, help
from benchmarks.pages import Table, markdown_table, print_table, split_at_marks, write_between
from energy.console import print_json
from energy.errors import InputError
from energy.guard import guard

ELAPSED_MARK = "commands: benchmarks.commands"
HELP_MARK = "help: benchmarks.commands"
PROCESSOR_MARK = "processor time: benchmarks.commands"


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=9, help="runs of each command (9)")
    parser.add_argument(
        "--beside", type=Path, help="another checkout, to compare processor time with"
    )
    parser.add_argument("--write", type=Path, help="page whose tables are replaced")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    guard(lambda: run(options.rounds, options.beside, options.write, as_json=options.json))


def run(rounds: int, other: Path | None, page: Path | None, *, as_json: bool) -> None:
    """Measure, print, and write the tables into a page.

    Args:
        rounds: runs of each command.
        other: checkout to compare processor time with; None leaves that table out.
        page: file whose tables are replaced; None writes nothing.
        as_json: print JSON in place of the tables.

    Raises:
        InputError: there are no rounds, no such checkout, or no place in the page.
    """
    if rounds < 1:
        raise InputError("expected --rounds of at least 1", str(rounds))
    other = require_checkout(other, "simulator/cli.py") if other else None
    if page:
        for mark in (HELP_MARK, ELAPSED_MARK, *([PROCESSOR_MARK] if other else [])):
            split_at_marks(page, mark)
    listed = help.measure(progress(rounds, "--help"))
    measured = beside.compare(other, progress(rounds, "processor time")) if other else None
    report(
        listed, measured, elapsed.measure(progress(rounds, "elapsed time")), page, as_json=as_json
    )


def report(
    listed: help.Measured,
    measured: beside.Measured | None,
    timings: list[elapsed.Timing],
    page: Path | None,
    *,
    as_json: bool,
) -> None:
    """Write the tables into the page, and print them.

    Args:
        listed: of `--help`.
        measured: of processor time; None where there was no other checkout.
        timings: of elapsed time.
        page: file whose tables are replaced; None writes nothing.
        as_json: print JSON in place of the tables.
    """
    tables: dict[str, Table] = {
        HELP_MARK: (help.HEADS, listed.rows()),
        ELAPSED_MARK: (elapsed.HEADS, [timing.cells() for timing in timings]),
    }
    if measured is not None:
        compared = (beside.HEADS, measured.rows())
        tables = {PROCESSOR_MARK: compared, **tables}
    if page:
        for mark, (heads, rows) in tables.items():
            write_between(page, mark, markdown_table(heads, rows))
    if as_json:
        print_json(
            (measured.as_json() if measured else {"processor_time": []})
            | {"help": [gate.as_json() for gate in listed.gates()]}
            | {"elapsed": [timing.as_json() for timing in timings]}
        )
        return
    for heads, rows in tables.values():
        print_table(heads, rows)


def progress(rounds: int, what: str) -> Iterable[int]:
    """The numbers of the rounds, with a progress bar on a terminal."""
    return track(range(rounds), what, disable=not sys.stderr.isatty())


if __name__ == "__main__":
    main()
