"""A window around code, and rows as the lines in which they go to the sampler: both cost little."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from time import monotonic_ns
from typing import Any


class Window:
    """A piece of code between two moments; a class, as a generator costs twice as much."""

    __slots__ = ("_close", "_start", "_sync", "_words")

    def __init__(
        self,
        close: Callable[[int, int, bytes], None],
        sync: Callable[[], object] | None,
        words: bytes,
    ) -> None:
        self._close, self._sync, self._words = close, sync, words
        self._start = 0

    def __enter__(self) -> None:
        if self._sync is not None:
            self._sync()
        self._start = monotonic_ns()

    def __exit__(self, *_: object) -> None:
        if self._sync is not None:
            self._sync()
        self._close(self._start, monotonic_ns(), self._words)


@lru_cache(maxsize=256)
def words(name: str, phase: str) -> bytes:
    """Name and phase as the middle of a row; told again at each step of a run."""
    return _ENCODER.encode({"name": name, "phase": phase})[1:-1].encode()


def window_line(start_ns: int, stop_ns: int, middle: bytes, number: int) -> bytes:
    """The row of a closed window as a line for the sampler.

    Written by hand: in a step of 20 ms the encoder, whose code the caches have lost by then, would
    be a tenth of what the step may be slowed down by.
    """
    return b'{"k":"window","m0":%d,"m1":%d,%b,"n":%d}\n' % (start_ns, stop_ns, middle, number)


def as_line(row: dict[str, Any]) -> bytes:
    """A row as one line for the sampler."""
    return _ENCODER.encode(row).encode() + b"\n"


def _plain(value: Any) -> float | str:
    """What JSON does not know, as a number where it is one, else as text."""
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        return str(value)


_ENCODER = json.JSONEncoder(separators=(",", ":"), default=_plain)
"""Made once: `json.dumps` with settings makes one for each row."""
