"""Cells of the tables of facts, converted to the types of their columns."""

from __future__ import annotations

import math
from typing import Any

from energy.quantity import Boundary


def cell(text: str, column_type: Any) -> Any:
    """A cell converted to the type of its column; `unknown` and `none` are None."""
    if text in ("unknown", "none"):
        return text if column_type is str else None
    if column_type == float | None:
        return _amount(text)
    if column_type == Boundary | None:
        return Boundary(text)
    return int(text) if column_type == int | None else text


def _amount(text: str) -> float:
    """A physical amount: finite and not negative."""
    value = float(text)
    if not 0 <= value < math.inf:
        raise ValueError(f"{text} is not an amount")
    return value
