"""Progress on stderr of long answers: a live line in a terminal, a line a minute in a log file."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LINE_S = 60.0
"""Seconds between two lines in a log file; what takes less has none."""


@contextmanager
def counting(what: str) -> Iterator[Callable[[str, int], None]]:
    """Count on stderr what is done: the yielded call takes the part's name and how many more."""
    if not sys.stderr.isatty():
        say, done = _lines(), Counter[str]()

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
        yield _lines()
        return
    from energy.reports.terminal import console

    with console(stderr=True).status("reading rows") as status:
        yield status.update


def _lines() -> Callable[[str], None]:
    """A call that writes its words at most once a minute, and not in the first one."""
    due_s = time.monotonic() + LINE_S

    def say(words: str) -> None:
        nonlocal due_s
        if (now_s := time.monotonic()) >= due_s:
            due_s = now_s + LINE_S
            print(words, file=sys.stderr, flush=True)

    return say
