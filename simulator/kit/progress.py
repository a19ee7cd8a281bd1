"""A bar on stderr for searches that take more than a moment; quiet when it is not a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def counting(what: str) -> Iterator[Callable[[str, int], None]]:
    """Count on stderr what is done: the yielded call takes the part's name and how many more."""
    if not sys.stderr.isatty():
        yield lambda _, __: None
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
    """Show progress on stderr while a long fit runs; quiet when it is not a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from energy.reports.terminal import console

    with console(stderr=True).status("reading rows") as status:
        yield status.update
