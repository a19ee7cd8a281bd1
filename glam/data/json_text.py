"""Documents in JSON: one object a line, an array, or one object a file; the content decides.

Hubs name JSON lines .json, .jsonl or .ndjson. An object has its text under the key `text_column`,
and may name its domain. JSON of another kind (settings, the description of a package) is no corpus.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any

from energy.errors import InputError
from energy.inputs import MOST_BYTES, UNPARSED, bounded_lines
from glam.data.compressed import inner_suffix, open_bytes
from glam.data.standard_library import Document

LINES = (".jsonl", ".ndjson")
SUFFIXES = (".json", *LINES)

Rows = Iterator[tuple[str, Document | None]]
"""Documents with their domains; None for a row without text."""


class OtherJsonError(Exception):
    """The file is one JSON value without documents, such as settings."""


def json_documents(path: Path, domain: str, name: str, column: str) -> Rows:
    """Yield the documents of a file with their domains; None for a row without text.

    Args:
        path: the file, compressed or not.
        domain: domain of rows that name none.
        name: name of the file in error messages.
        column: key of the text.

    Raises:
        InputError: a row is not JSON, has no text under the key, or is too long.
        OtherJsonError: the file is a single value without documents; nothing has been yielded.
    """
    # Opened again for each purpose, because not every compressed file can go back to its start.
    if inner_suffix(path) in LINES or _holds_lines(path, column):
        with open_bytes(path) as file:
            yield from _of_lines(file, path, domain, name, column)
        return
    with open_bytes(path) as file:
        value = _single_value(file, path)
    if isinstance(value, dict) and column in value:
        value = [value]
    if not isinstance(value, list) or not all(isinstance(row, dict | str) for row in value):
        raise OtherJsonError
    for number, row in enumerate(value, start=1):
        row = {column: row} if isinstance(row, str) else row
        yield _document(row, domain, f"{name}:{number}", column, f"entry {number} of {path}")


def _holds_lines(path: Path, column: str) -> bool:
    """Whether the first line is an object by itself that has text, or that is followed by more."""
    with open_bytes(path) as file:
        rows = islice((line for line in bounded_lines(file, path) if line.strip()), 2)
        try:
            first = json.loads(next(rows, b""))
        except UNPARSED:
            return False
        return isinstance(first, dict) and (column in first or next(rows, None) is not None)


def _of_lines(file: IO[bytes], path: Path, domain: str, name: str, column: str) -> Rows:
    for number, line in enumerate(bounded_lines(file, path), start=1):
        if not line.strip():
            continue
        place = f"line {number} of {path}"
        try:
            row = json.loads(line)
        except UNPARSED as error:
            if number == 1 and isinstance(error, UnicodeDecodeError):
                raise not_text(path) from error
            raise InputError(
                "expected a JSON object", f"{place}: {_parser_words(error)}"
            ) from error
        yield _document(row, domain, f"{name}:{number}", column, place)


def _single_value(file: IO[bytes], path: Path) -> Any:
    """The value of a file that is not lines of JSON.

    Raises:
        OtherJsonError: it is not JSON at all, in spite of its name.
    """
    content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise InputError(
            f"expected a JSON file of at most {MOST_BYTES / 1e6:.0f} MB at {path}",
            "a longer one",
            "write it as JSON lines, one object a line",
        )
    try:
        return json.loads(content)
    except UNPARSED as error:
        raise OtherJsonError from error


def _document(
    row: Any, domain: str, name: str, column: str, place: str
) -> tuple[str, Document | None]:
    """The document of a row with its domain; None where the text is null or blank."""
    if not isinstance(row, dict):
        raise InputError("expected a JSON object", f"{place}: {type(row).__name__}")
    if column not in row:
        keys = ", ".join(list(row)[:8]) or "no key"
        raise InputError(
            f"expected the text under the key {column}",
            f"{place}: {keys}",
            f"set [corpus] text_column to the key of the text{_guess(row)}",
        )
    text = row[column]
    if text is not None and not isinstance(text, str):
        raise InputError(
            f"expected a text under the key {column}", f"{place}: {type(text).__name__}"
        )
    domain = str(row.get("domain") or domain)
    if text is None or not text.strip():
        return domain, None
    # JSON can hold an unpaired surrogate, which no encoding can represent.
    return domain, Document(name, text.encode("utf-8", "replace").decode())


def _guess(row: dict[str, Any]) -> str:
    """The key of the longest text of a row, as a suggestion."""
    texts = {key: len(value) for key, value in row.items() if isinstance(value, str)}
    return f', such as "{max(texts, key=lambda key: texts[key])}"' if texts else ""


def _parser_words(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def not_text(path: Path) -> InputError:
    """The error of a file that is not text."""
    return InputError(f"expected UTF-8 text in {path}", "other bytes", "name another file")
