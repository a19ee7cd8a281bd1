"""Calls of what is not ours: drivers, plug-ins, hubs. They may raise anything, and none may end us.

This is where the project catches every exception; elsewhere a handler names what it expects.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def attempt(call: Callable[[], T]) -> tuple[T | None, Exception | None]:
    """What a call returns, or None and the exception that it raised."""
    try:
        return call(), None
    except Exception as error:
        return None, error
