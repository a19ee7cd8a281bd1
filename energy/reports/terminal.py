"""Consoles, and tables of one look, for the pages of all commands."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rich.console import Console
from rich.segment import Segment
from rich.table import Table

from energy.letters import escaped, terminal


class EscapingConsole(Console):
    """A console that escapes the control letters of all texts, and of no control of its own."""

    def _render_buffer(self, buffer: Iterable[Segment]) -> str:
        return super()._render_buffer(
            part if part.control else Segment(escaped(part.text), part.style) for part in buffer
        )


def console(*, stderr: bool = False) -> Console:
    """The terminal; a file or a pipe gets lines wide enough for any table."""
    file = terminal(sys.stderr if stderr else sys.stdout)
    width = None if stderr or file.isatty() else 160
    return EscapingConsole(file=file, stderr=stderr, highlight=False, width=width)


def table(*columns: str, title: str = "") -> Table:
    """An empty table: first column aligned left, numbers aligned right."""
    empty = Table(
        box=None,
        title=title or None,
        title_justify="left",
        title_style="bold",
        pad_edge=False,
        padding=(0, 1),
    )
    for position, name in enumerate(columns):
        empty.add_column(name, justify="right" if position else "left", overflow="fold")
    return empty
