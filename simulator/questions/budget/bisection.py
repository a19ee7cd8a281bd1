"""Bisection: the last number up to which a condition holds."""

from __future__ import annotations

import math
from collections.abc import Callable

HALVINGS = 50
"""An interval halved so often is as narrow as floats get."""


def bracket(
    holds: Callable[[float], bool | None],
    low: float,
    high: float,
    *,
    whole: bool = False,
    tolerance: float = 0.0,
) -> tuple[float, float]:
    """Narrow an interval: a condition holds at its low end and fails at its high end.

    Args:
        holds: the condition; None where it cannot be evaluated, which ends the search.
        low: where it holds.
        high: where it fails.
        whole: evaluate it at whole numbers only.
        tolerance: width that is narrow enough, relative to the high end where that is above 1.

    Returns:
        The low and the high end of the narrow interval.
    """
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if whole:
            middle = float(math.floor(middle))
        if middle in (low, high) or high - low <= tolerance * max(1.0, abs(high)):
            break
        state = holds(middle)
        if state is None:
            break
        low, high = (middle, high) if state else (low, middle)
    return low, high


def last_whole(holds: Callable[[int], bool], low: int, high: int) -> int | None:
    """The last whole number from low to high at which a condition holds; None if it never does.

    The search doubles from below, so that the condition is not evaluated far beyond the result.
    """
    if not holds(low):
        return None
    beyond = 2 * max(low, 1)
    while beyond < high and holds(beyond):
        low, beyond = beyond, 2 * beyond
    if beyond >= high:
        if holds(high):
            return high
        beyond = high
    return int(bracket(lambda number: holds(int(number)), low, beyond, whole=True)[0])
