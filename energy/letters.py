"""Control letters of names never reach a terminal: they are escaped where a command prints.

A run, a window, a device or a file may bear any name, and a record comes from others: an escape
sequence in it could hide lines, change the title or the clipboard. While a command runs, its
streams show them as text; what draws on the terminal itself (a progress bar) takes `terminal`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

CODES = (
    *(code for code in range(0x20) if chr(code) not in "\t\n"),
    *range(0x7F, 0xA0),
    *range(0x202A, 0x202F),  # these turn the direction of what follows
    *range(0x2066, 0x206A),
    *range(0xD800, 0xE000),  # bytes of a file name that are no UTF-8, which cannot be printed
)

_ESCAPES = {code: ascii(chr(code))[1:-1] for code in CODES}


def escaped(text: str) -> str:
    r"""A text with its control letters as text: \x1b for an escape; tabs and line ends stay."""
    return text if text.isascii() and text.isprintable() else text.translate(_ESCAPES)


class Escaping:
    """A stream that escapes the control letters of what is written to it.

    A carriage return at the beginning stays: progress bars of libraries write one.

    Args:
        stream: where the text goes.

    Attributes:
        unescaped: that stream, for what moves the cursor itself.
    """

    def __init__(self, stream: TextIO) -> None:
        self.unescaped = stream

    def write(self, text: str) -> int:
        """Write a text; returns its length."""
        start = text.startswith("\r")
        self.unescaped.write(("\r" if start else "") + escaped(text[start:]))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unescaped, name)


def terminal(stream: TextIO) -> TextIO:
    """The stream behind one that escapes, for what moves the cursor itself."""
    return cast("TextIO", getattr(stream, "unescaped", stream))


@contextmanager
def escaping() -> Iterator[None]:
    """Within this context stdout and stderr escape the control letters of what is printed."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast("TextIO", Escaping(stream)) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
