"""A window around a piece of code, and rows encoded as lines for the sampler; both are cheap."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from time import monotonic_ns
from typing import Any


class Window:
    """A piece of code between two moments; a class, because a generator costs twice as much."""

    __slots__ = ("_close", "_fields", "_start", "_sync")

    def __init__(
        self,
        close: Callable[[int, int, bytes], None],
        sync: Callable[[], object] | None,
        fields: bytes,
    ) -> None:
        self._close, self._sync, self._fields = close, sync, fields
        self._start = 0

    def __enter__(self) -> None:
        if self._sync is not None:
            self._sync()
        self._start = monotonic_ns()

    def __exit__(self, *_: object) -> None:
        if self._sync is not None:
            self._sync()
        self._close(self._start, monotonic_ns(), self._fields)


@lru_cache(maxsize=256)
def window_fields(name: str, phase: str) -> bytes:
    """Name and phase as the middle of a row; cached, as they recur at each step of a run."""
    return _ENCODER.encode({"name": name, "phase": phase})[1:-1].encode()


def window_line(start_ns: int, stop_ns: int, fields: bytes, number: int) -> bytes:
    """The row of a closed window as a line for the sampler.

    Formatted by hand: within a step of 20 ms the JSON encoder, whose code has left the caches by
    then, would use up a tenth of the overhead that a step may have.
    """
    return b'{"k":"window","m0":%d,"m1":%d,%b,"n":%d}\n' % (start_ns, stop_ns, fields, number)


def as_line(row: dict[str, Any]) -> bytes:
    """A row as a line for the sampler."""
    return _ENCODER.encode(row).encode() + b"\n"


def _plain(value: Any) -> float | str:
    """A value that JSON cannot encode: as a number if it can be one, else as text."""
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        return str(value)


_ENCODER = json.JSONEncoder(separators=(",", ":"), default=_plain)
"""Created once: `json.dumps` with options creates an encoder for each row."""
