"""Files that users hand in, read within bounds of bytes and depth, and the numbers in them.

Every file of settings, of facts or of results is read here, so that a folder, an endless device, an
editor's byte-order mark or a million brackets end in one line that says what was expected.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from energy.errors import InputError, reason

MOST_BYTES = 256_000_000
"""Bytes of a file that is read as a whole, and of one line of a longer one."""

MOST_DEPTH = 64
"""Tables and lists within each other; our own files have five."""

UNPARSED = (ValueError, RecursionError)
"""What a parser raises: RecursionError for thousands of brackets within each other."""


def read_bytes(path: Path, what: str, fix: str = "") -> bytes:
    """A file as it is.

    Args:
        path: of the file.
        what: it is, for messages: "a probe".
        fix: what to do where it is missing or is something else.

    Raises:
        InputError: it cannot be read, or has more than `MOST_BYTES`.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        raise InputError(f"expected {what} at {path}", reason(error), fix) from error
    if len(content) > MOST_BYTES:
        raise InputError(
            f"expected {what} of at most {MOST_BYTES / 1e6:.0f} MB at {path}", "more", fix
        )
    return content


def read_text(path: Path, what: str, fix: str = "") -> str:
    """A text in UTF-8, with or without a byte-order mark; see `read_bytes`."""
    try:
        return read_bytes(path, what, fix).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"expected {what} at {path}", reason(error), fix) from error


def read_json(path: Path, what: str, fix: str = "") -> Any:
    """The value of a JSON file; see `read_bytes`."""
    import json

    return _parsed(json.loads, path, what, fix)


def read_toml(path: Path, what: str, fix: str = "") -> dict[str, Any]:
    """The tables of a TOML file; see `read_bytes`."""
    import tomllib

    tables: dict[str, Any] = _parsed(tomllib.loads, path, what, fix)
    return tables


def read_table(path: Path, what: str, fix: str = "") -> tuple[list[str], list[dict[str, str]]]:
    """Columns and rows of a CSV file, as texts; a cell that a row lacks is empty.

    Raises:
        InputError: as of `read_bytes`, or a line is no CSV.
    """
    import csv

    lines = csv.DictReader(read_text(path, what, fix).splitlines(keepends=True), restval="")
    try:
        rows = [{name: text for name, text in row.items() if name is not None} for row in lines]
        return list(lines.fieldnames or []), rows
    except csv.Error as error:
        raise InputError(
            f"expected {what} at {path}", f"line {lines.line_num}: {reason(error)}", fix
        ) from error


def _parsed(parse: Callable[[str], Any], path: Path, what: str, fix: str) -> Any:
    text = read_text(path, what, fix)
    try:
        value = parse(text)
    except UNPARSED as error:
        words = "brackets nested too deeply" if isinstance(error, RecursionError) else reason(error)
        raise InputError(f"expected {what} at {path}", words, fix) from error
    if depth(value) > MOST_DEPTH:
        raise InputError(f"expected {what} at {path}", "brackets nested too deeply", fix)
    return value


def depth(value: Any) -> int:
    """How many tables and lists are within each other; 0 for a number, 2 for [[1]]."""
    level, items = 0, [value]
    while items := [item for item in items if isinstance(item, dict | list)]:
        level += 1
        items = [
            inner for item in items for inner in (item.values() if isinstance(item, dict) else item)
        ]
        if level > MOST_DEPTH:
            break
    return level


def bounded_lines(file: IO[bytes], path: Path, what: str = "lines") -> Iterator[bytes]:
    """The lines of a file that may be long.

    Raises:
        InputError: one of them has more than `MOST_BYTES`.
    """
    while line := file.readline(MOST_BYTES + 1):
        if len(line) > MOST_BYTES:
            raise InputError(
                f"expected {what} of at most {MOST_BYTES / 1e6:.0f} MB in {path}",
                "a longer one",
                "write one object a line",
            )
        yield line


def is_number(value: Any, least: float = -math.inf, most: float = math.inf) -> bool:
    """Whether a value is a finite number, and within limits; True and False are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -1e300 < value < 1e300 and least <= value <= most


def table_of(value: Any, where: str, fix: str = "") -> dict[str, Any]:
    """A value that must be a table.

    Raises:
        InputError: it is something else.
    """
    if not isinstance(value, dict):
        raise InputError(f"expected a table in {where}", shown(value), fix)
    return value


def shown(value: Any) -> str:
    """A value of a file in a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
