"""Consoles, and tables of one look, for the pages of all commands."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table


def console() -> Console:
    """The terminal; a file or a pipe gets lines wide enough for any table."""
    terminal = Console(highlight=False, soft_wrap=False)
    return terminal if terminal.is_terminal else Console(highlight=False, width=160)


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
