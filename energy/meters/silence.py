"""Keeps optional libraries from printing: what a meter imports says nothing on our output."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

OUTPUTS = (1, 2)
"""Descriptors of standard output and standard error."""


@dataclass
class Printed:
    """What was printed meanwhile.

    Attributes:
        text: it, once the block has ended.
    """

    text: str = ""

    @property
    def last_line(self) -> str:
        """The last line that is not empty."""
        return next((line.strip() for line in self.text.splitlines()[::-1] if line.strip()), "")


@contextlib.contextmanager
def silence() -> Iterator[Printed]:
    """Catch all that is printed inside the block, by Python and by libraries written in C.

    Descriptors are swapped for the whole process, so the block should be short: an import and the
    initialisation of a driver's library.
    """
    printed = Printed()
    with contextlib.ExitStack() as stack:
        try:
            kept = stack.enter_context(tempfile.TemporaryFile())
            copies = [(descriptor, os.dup(descriptor)) for descriptor in OUTPUTS]
        except OSError:  # no room for a file, or an output that is closed
            yield printed
            return
        _flush()
        for descriptor, _ in copies:
            os.dup2(kept.fileno(), descriptor)
        text = stack.enter_context(os.fdopen(os.dup(kept.fileno()), "w", encoding="utf-8"))
        try:
            # A replaced sys.stdout (a notebook, a test) does not write to the descriptor.
            with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
                yield printed
        finally:
            text.flush()
            _flush()
            for descriptor, copy in copies:
                os.dup2(copy, descriptor)
                os.close(copy)
            kept.seek(0)
            printed.text = kept.read().decode(errors="replace")


def _flush() -> None:
    """Write out what Python and the C library have buffered."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).fflush(None)
