"""Tables of the benchmarks: printed on the terminal, or written into a page between two marks."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from energy.console import print_json
from energy.errors import InputError
from energy.files import write_text_atomic
from energy.reports.terminal import console, table

Table = tuple[Sequence[str], Sequence[Sequence[str]]]
"""The heads of a table and its rows."""


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Format a table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table on the terminal."""
    grid = table(*heads)
    for row in rows:
        grid.add_row(*row)
    console().print(grid)


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where a result goes: --write PAGE and --json."""
    parser.add_argument("--write", type=Path, metavar="PAGE", help="write the result into a page")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def show(options: argparse.Namespace, mark: str, rows: Any, cells: Table, said: str) -> None:
    """Print a result, or write it into a page.

    Args:
        options: of `add_output_options`.
        mark: of the page, as `write_between` has it.
        rows: for JSON.
        cells: its table.
        said: the result in a sentence.

    Raises:
        InputError: as of `write_between`.
    """
    if options.json:
        print_json(rows)
    elif options.write:
        write_between(options.write, mark, f"{said}\n\n{markdown_table(*cells)}")
    else:
        print_table(*cells)
        print(said)


def write_between(page: Path, mark: str, text: str) -> None:
    """Replace the text between a pair of marks in a page.

    Args:
        page: a file with the lines "<!-- MARK -->" and "<!-- end of MARK -->".
        mark: what stands there and the module that writes it: "gates: benchmarks.simulator.gates".
        text: the new text, without blank lines around it.

    Raises:
        InputError: the page does not have this pair of marks exactly once.
    """
    head, _, rest = split_at_marks(page, mark)
    write_text_atomic(page, f"{head}<!-- {mark} -->\n\n{text}\n\n<!-- end of {mark} -->{rest}")


def split_at_marks(page: Path, mark: str) -> tuple[str, str, str]:
    """Return the text before, between and after a pair of marks of a page.

    Raises:
        InputError: the page does not exist, or does not have this pair of marks exactly once.
    """
    first, last = f"<!-- {mark} -->", f"<!-- end of {mark} -->"
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    if text.count(first) != 1 or text.count(last) != 1:
        raise InputError(
            f"expected {first} and {last} once each in {page}",
            f"{text.count(first)} and {text.count(last)}",
            "add both lines where the text belongs",
        )
    head, rest = text.split(first)
    between, rest = rest.split(last)
    return head, between, rest
