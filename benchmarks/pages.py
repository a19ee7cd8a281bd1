"""Tables of the benchmarks: on the terminal, and inside pages between two marks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from energy.errors import InputError
from energy.files import write_text_atomic
from energy.reports.words import console, table


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of a page."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def show(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table."""
    shown = table(*heads)
    for row in rows:
        shown.add_row(*row)
    console().print(shown)


def write_between(page: Path, mark: str, text: str) -> None:
    """Put text in the place of what stands between a page's marks.

    Args:
        page: with the lines "<!-- MARK -->" and "<!-- end of MARK -->".
        mark: names the place: "gates: benchmarks/simulator/gates.py".
        text: without blank lines around it.

    Raises:
        InputError: the page has no such place.
    """
    head, _, rest = require_place(page, mark)
    write_text_atomic(page, f"{head}<!-- {mark} -->\n\n{text}\n\n<!-- end of {mark} -->{rest}")


def require_place(page: Path, mark: str) -> tuple[str, str, str]:
    """What stands before, between and after the marks of a page.

    Raises:
        InputError: the page is not there, or has no such place.
    """
    first, last = f"<!-- {mark} -->", f"<!-- end of {mark} -->"
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    if text.count(first) != 1 or text.count(last) != 1:
        raise InputError(f"expected {first} and {last} in {page}", "none", "write them there")
    head, rest = text.split(first)
    between, rest = rest.split(last)
    return head, between, rest
