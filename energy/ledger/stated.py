"""What a run says of its own work: numbers or quantities, checked before it begins."""

from __future__ import annotations

import math
import numbers
from typing import TYPE_CHECKING, Any

from energy.errors import InputError

if TYPE_CHECKING:
    from energy.quantity import Quantity

COUNTS = {
    "tokens": "1",
    "params_total": "1",
    "params_active": "1",
    "model_flop": "FLOP",
    "executed_flop": "FLOP",
}
"""Fields of a record that only the run itself knows, each with its unit."""


def is_number(value: Any) -> bool:
    """Whether a value is a real number, also one of numpy; True and False are none."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def require_count(name: str, value: Any) -> None:
    """Check a number or a quantity of the run's own work.

    Args:
        name: of the field, one of `COUNTS`.
        value: a number in the field's unit, or a Quantity.

    Raises:
        InputError: it is neither, it is negative or not finite, or its unit is another one.
    """
    if is_number(value):
        if not 0 <= float(value) < math.inf:
            raise InputError(f"expected {name} of 0 or more", str(value), "count the whole run")
        return
    from energy.quantity import Quantity

    if not isinstance(value, Quantity):
        of_parts = "sum the parts, times the tokens" if isinstance(value, dict) else ""
        expectation = f"expected {name} as a number or a Quantity in {COUNTS[name]}"
        raise InputError(expectation, f"{value!r}, a {type(value).__name__}", of_parts)
    if value.unit != COUNTS[name]:
        raise InputError(f"expected {name} in {COUNTS[name]}", value.unit, "convert it")


def as_quantity(name: str, value: Any) -> Quantity:
    """A number or a quantity of the run's own work as a quantity; a number is an assumption.

    Raises:
        InputError: as `require_count`.
    """
    from energy.quantity import Origin, Quantity

    require_count(name, value)
    if isinstance(value, Quantity):
        return value
    return Quantity.exact(float(value), COUNTS[name], "set by the caller", Origin.ASSUMED)
