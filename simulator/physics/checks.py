"""Checks of the fields of a plan: each message names the field by its key in a scenario."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from energy.errors import InputError

Choice: TypeAlias = str | NDArray[Any]
"""A word, or an array of words."""


def require_at_least_1(part: Any, names: tuple[str, ...]) -> None:
    """Check that fields are 1 or more.

    Raises:
        InputError: one is not.
    """
    for name in names:
        value = getattr(part, name)
        require(np.asarray(value) >= 1, name, "at least 1", value)


def require_word(part: Any, name: str, words: tuple[str, ...]) -> None:
    """Check that a field is one of some words.

    Raises:
        InputError: it is not.
    """
    value = getattr(part, name)
    require(np.isin(value, words), name, f"one of {', '.join(words)}", value)


def require(fulfilled: Any, name: str, expectation: str, value: Any) -> None:
    """Check what is expected of a field.

    Raises:
        InputError: it is not fulfilled everywhere.
    """
    if not np.all(fulfilled):
        raise InputError(f"expected plan.{name} to be {expectation}", f"{value}")
