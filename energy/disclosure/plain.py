"""Numbers as text that no parser misreads: plain decimals, without exponent or grouping."""

from __future__ import annotations

from decimal import Decimal

from energy.errors import InputError

DIGITS = 6
"""Significant digits that are written; more would claim what no meter knows."""


def decimal(value: float, digits: int = DIGITS) -> str:
    """A number as a plain decimal: 40100000, 0.1893, 0.0000512.

    Args:
        value: finite.
        digits: significant ones.

    Raises:
        InputError: it is negative or not finite.
    """
    if not 0 <= value < 1e30:
        raise InputError("expected a number of zero or more in a form", f"{value:g}")
    text = format(Decimal(f"{value:.{digits - 1}e}"), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
