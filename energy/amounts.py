"""Whether the amounts of a document can be: none is below zero, and each has the unit of its field.

Joules, seconds and grams that were spent are never negative, nor is an end of their band; what was
edited or damaged so is refused, instead of lowering a sum over many runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from energy.errors import InputError
from energy.quantity import Quantity

NEVER_NEGATIVE = ("J", "s", "FLOP", "g", "L", "USD", "W", "B")
"""Units of what is spent or drawn; ratios and differences have the unit 1."""

COUNTS = ("tokens", "params_total", "params_active")
"""Fields that count something."""

UNITS = {
    "_s": "s",
    "_j": "J",
    "_g": "g",
    "_l": "L",
    "_usd": "USD",
    "_flop": "FLOP",
} | dict.fromkeys(("totals", "energy"), "J")
"""The unit of a field by the end of its name."""

NAMED_BY_OTHERS = ("metrics", "factors")
"""Fields whose names within are not of this schema: `tokens_per_s` is in 1/s."""

ROUNDING = 1e-9
"""Part of an amount by which a sum of many may miss zero."""


def require_possible(document: BaseModel, where: str, fix: str) -> None:
    """Check all amounts in a document.

    Args:
        document: as it was read.
        where: it was read, for messages.
        fix: what to do where an amount cannot be.

    Raises:
        InputError: an amount is below zero or reaches below it, its shares are no parts of a
            whole, its unit is another than its field's, or something ends before it begins.
    """
    problem = next(_problems(document, ""), None)
    if problem is not None:
        place, expected, value = problem
        raise InputError(f"expected {place.removeprefix('.')} {expected} in {where}", value, fix)


def _problems(value: Any, place: str) -> Iterator[tuple[str, str, str]]:
    """Places, what is expected there, and what stands there."""
    if isinstance(value, Quantity):
        yield from _of_quantity(value, place)
    if isinstance(value, BaseModel):
        yield from _backwards(value, place)
        for name in type(value).model_fields:
            yield from _problems(getattr(value, name), f"{place}.{name}")
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _problems(item, f"{place}.{name}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _problems(item, f"{place}.{number}")


def _of_quantity(amount: Quantity, place: str) -> Iterator[tuple[str, str, str]]:
    if amount.value is None:
        return
    names = place.split(".")
    field = names[-2] if names[-2] in ("totals", "energy") else names[-1]
    unit = next((unit for end, unit in UNITS.items() if field.endswith(end)), amount.unit)
    if unit != amount.unit and names[-2] not in NAMED_BY_OTHERS:
        yield place, f"in {unit}", amount.unit
    value, low, high = amount.numbers()
    if low < -ROUNDING * high and (amount.unit in NEVER_NEGATIVE or field in COUNTS):
        shown = f"{value:g}" if value < 0 else f"a band from {low:g}"
        yield place, "of 0 or more", f"{shown} {amount.unit}"
    shares = amount.shares.values()
    if min(shares) < -ROUNDING or abs(sum(shares) - 1) > 1e-6:
        yield f"{place}.shares", "that are parts of 1", ", ".join(f"{share:g}" for share in shares)


def _backwards(span: BaseModel, place: str) -> Iterator[tuple[str, str, str]]:
    begin_s, end_s = getattr(span, "begin_s", None), getattr(span, "end_s", None)
    if begin_s is not None and end_s is not None and end_s < begin_s - 1e-6:
        yield place, "that ends after it begins", f"{begin_s:g} to {end_s:g} s"
