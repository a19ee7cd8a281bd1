"""Progress on stderr of long answers: a live line in a terminal, a line a minute in a log file."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from energy.minutes import line_a_minute


@contextmanager
def counting(what: str) -> Iterator[Callable[[str, int], None]]:
    """Count on stderr what is done: the yielded call takes the part's name and how many more."""
    if not sys.stderr.isatty():
        say, done = line_a_minute(), Counter[str]()

        def count(part: str, more: int) -> None:
            done[part] += more
            say(f"{part}: {done[part]:,} {what}")

        yield count
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from energy.reports.terminal import console

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} " + what),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        # How many there are is known only when all are made: the bar pulses.
        task = bar.add_task("", total=None)
        yield lambda part, done: bar.update(task, description=part, advance=done)


@contextmanager
def watching() -> Iterator[Callable[[str], None]]:
    """Show on stderr what a long fit does."""
    if not sys.stderr.isatty():
        yield line_a_minute()
        return
    from energy.reports.terminal import console

    with console(stderr=True).status("reading rows") as status:
        yield status.update
