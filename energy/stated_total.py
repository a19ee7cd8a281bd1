"""Parameters that somebody states, beside those that a shape has."""

from __future__ import annotations

from energy.errors import InputError
from energy.shape import Shape, parameters, total
from energy.units import count

TOLERANCE = 0.1
"""Share by which a stated total may differ: more than a rounded figure or a matrix that is counted
or not, and less than a layer or a width that is wrong."""


def require_about(shape: Shape, stated: float, name: str) -> None:
    """Refuse a shape whose parameters are not about as many as stated.

    Args:
        shape: of the model.
        stated: total of its parameters.
        name: of the field that states it.

    Raises:
        InputError: they differ by more than a tenth.
    """
    counted = float(total(parameters(shape)))
    if abs(counted / stated - 1) > TOLERANCE:
        raise InputError(
            f"expected {name} of about {count(counted)}, which the sizes of the model have",
            count(stated),
            "correct the total, or the size that is wrong",
        )
