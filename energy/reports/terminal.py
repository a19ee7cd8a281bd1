"""Consoles, and tables of one look, for the pages of all commands.

In a terminal a table fits its width: columns of words are folded, the widest first, and what does
not fit even so is left out by whole columns, from the right, which a line beneath names. The first
column is the key of its row, and is never left out, cut or folded. The origin of a number goes
before its band, and its source is the last to go; that is cut with an ellipsis before. A file or a
pipe gets every column whole, however long the lines are, and no spaces that fill them.
"""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import zip_longest
from typing import Any, Literal

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.table import Column, Table

from energy.letters import escaped, terminal
from energy.quantity import Quantity

SOURCE = "source"
"""Title of the column that says where the numbers of a row come from."""

ORIGIN, BAND = "origin", "band"
"""Titles of the columns with the origin of a number and with its band; that may have a coverage."""

LEAST_SOURCE = 16
"""Characters of a source below which it is left out, too."""

LEAST_TEXT = 24
"""Characters of a column of text below which it is left out."""

LEAST_WORDS = 18
"""The same, of a column of numbers with their bands in words behind them."""

FILE_WIDTH = 160
"""Characters of a line of text in a file or a pipe; tables there are as wide as they are."""

PADDING = re.compile(r" +$", re.MULTILINE)
"""Spaces that fill a line, which nothing but a terminal has a use for."""


class EscapingConsole(Console):
    """A console that escapes the control letters of all texts, and of no control of its own.

    It cuts no line: a key may be wider than the terminal, and a pipe has no width.
    """

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as a console does, without cutting lines at its width."""
        super().print(*objects, **{"crop": False, **options})

    def on_broken_pipe(self) -> None:
        """Raise as `print` does, where rich would end the process with 1."""
        raise BrokenPipeError(errno.EPIPE, "the reader has gone")

    def _render_buffer(self, buffer: Iterable[Segment]) -> str:
        text = super()._render_buffer(
            part if part.control else Segment(escaped(part.text), part.style) for part in buffer
        )
        return text if self.is_terminal else PADDING.sub("", text)


class Fitted(Table):
    """A table that leaves out columns where a terminal is too narrow for all."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The lines of the table, and the names of the columns that were left out."""
        widths = [_width(column) for column in self.columns]
        whole = _whole(widths)
        if not console.is_terminal and not self.title:
            yield from self._text(console, widths)
            return
        if not console.is_terminal or whole <= options.max_width:
            yield from self._lines(console, options, self.columns, whole)
            return
        kept = self._kept(widths, options.max_width)
        columns = [column for column, keep in zip(self.columns, kept, strict=True) if keep]
        yield from self._lines(console, options, columns, options.max_width)
        titles = (str(column.header) for column in self.columns)
        left_out = [title for title, keep in zip(titles, kept, strict=True) if title and not keep]
        if left_out:
            yield f"left out in {options.max_width} columns: {', '.join(dict.fromkeys(left_out))}"

    def _text(self, console: Console, widths: list[int]) -> RenderResult:
        """The lines of the table where nothing is styled, cut or folded: rich takes long for it."""
        rows = zip(*(_cells(console, column) for column in self.columns), strict=True)
        right = [column.justify == "right" for column in self.columns]
        for row in rows:
            for line in zip_longest(*(text.split("\n") for text in row), fillvalue=""):
                cells = zip(line, widths, right, strict=True)
                yield Segment("  ".join(_padded(*cell) for cell in cells))
                yield Segment.line()

    def _kept(self, widths: list[int], width: int) -> list[bool]:
        """Which columns fit, the key among them: others go from the right, the source last."""
        titles = [str(column.header) for column in self.columns]
        least = [widths[0], *map(_least, self.columns[1:])]
        kept = [True] * len(widths)
        for place in sorted(range(1, len(widths)), key=partial(_turn, titles)):
            if _whole([own for own, keep in zip(least, kept, strict=True) if keep]) <= width:
                break
            kept[place] = False
        return kept

    def _lines(
        self, console: Console, options: ConsoleOptions, columns: list[Column], width: int
    ) -> RenderResult:
        """The table with some of its columns: the source is cut first, then words are folded."""
        shown = Table(
            box=None,
            title=self.title,
            title_justify="left",
            title_style="bold",
            pad_edge=False,
            padding=(0, 1),
        )
        widths = [_width(column) for column in columns]
        spare = [0, *(own - _least(c) for own, c in zip(widths[1:], columns[1:], strict=True))]
        while _whole(widths) > width and any(spare):
            able = (place for place, characters in enumerate(spare) if characters)
            place = max(able, key=lambda place: (columns[place].header == SOURCE, widths[place]))
            widths[place], spare[place] = widths[place] - 1, spare[place] - 1
        shown.columns = [
            replace(column, _index=place, width=own)
            for place, (column, own) in enumerate(zip(columns, widths, strict=True))
        ]
        shown.rows = self.rows
        yield from shown.__rich_console__(console, options.update(width=_whole(widths)))


def _turn(titles: list[str], place: int) -> tuple[bool, float]:
    """When a column is left out: from the right, an origin before any band, the source last."""
    bands = [other for other, title in enumerate(titles) if title.endswith(BAND)]
    own = max([place, *bands]) + 0.5 if titles[place] == ORIGIN and bands else place
    return titles[place] == SOURCE, -own


def _least(column: Column) -> int:
    """Characters that a column needs; a number alone is never cut or folded."""
    width = _width(column)
    if column.header == SOURCE:
        return min(width, LEAST_SOURCE)
    if column.justify == "left":
        return min(width, LEAST_TEXT)
    return min(width, LEAST_WORDS) if any(" (" in str(cell) for cell in column.cells) else width


def _cells(console: Console, column: Column) -> list[str]:
    """The title and cells of a column as plain text; markup and emoji are as rich reads them."""
    texts = [str(text) for text in (column.header, *column.cells)]
    return [console.render_str(t).plain if "[" in t or t.count(":") > 1 else t for t in texts]


def _padded(text: str, width: int, right: bool) -> str:
    """A line of a cell with the spaces that fill its column."""
    if right:
        return " " * (width - cell_len(text.rstrip())) + text.rstrip()
    return text + " " * (width - cell_len(text))


def _whole(widths: Sequence[int]) -> int:
    """Characters of a line with columns of these widths."""
    return sum(widths) + 2 * (len(widths) - 1)


def _width(column: Column) -> int:
    """Characters of the widest cell of a column, on one line."""
    texts = (str(cell) for cell in (column.header, *column.cells))
    return max(cell_len(line) for text in texts for line in text.split("\n"))


def console(*, stderr: bool = False, plain: bool = False) -> Console:
    """The terminal; in a file or a pipe, text has lines of 160 characters.

    Args:
        stderr: instead of stdout.
        plain: text without colors, also in a notebook, which forces them on its commands.
    """
    file = terminal(sys.stderr if stderr else sys.stdout)
    width = None if stderr or file.isatty() else FILE_WIDTH
    return EscapingConsole(
        file=file,
        stderr=stderr,
        highlight=False,
        width=width,
        force_terminal=False if plain else None,
        force_jupyter=False,
    )


def table(*columns: str, title: str = "", left: Sequence[str] = ()) -> Table:
    """An empty table: first column aligned left, numbers aligned right.

    Args:
        columns: titles; the first is the key, and the last are the first to be left out.
        title: above the table.
        left: titles of columns of text, aligned left.
    """
    empty = Fitted(title=title or None)
    for position, name in enumerate(columns):
        overflow: Literal["ellipsis", "fold"] = "ellipsis" if name == SOURCE else "fold"
        empty.add_column(
            name,
            justify="right" if position and name not in left else "left",
            overflow=overflow,
            no_wrap=not position or name == SOURCE,
        )
    return empty


def quantity_table(title: str, quantities: Iterable[tuple[str, Quantity]]) -> Table:
    """A line for each quantity; a coverage that all bands share stands in their title, once.

    Args:
        title: of the first column, the labels.
        quantities: with their labels.
    """
    rows = list(quantities)
    coverages = {
        quantity.percent for _, quantity in rows if quantity.ends() and not quantity.is_exact
    }
    shared = f"{next(iter(coverages))} band" if len(coverages) == 1 else ""
    lines = table(title, "predicted", shared or "band", "origin")
    for label, quantity in rows:
        band = quantity.ends() if shared else quantity.band()
        lines.add_row(label, quantity.human(), band, quantity.origins)
    return lines
