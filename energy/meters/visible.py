"""Which accelerators a process may use, from the variables that CUDA and ROCm read.

A variable that is not set hides nothing; one that is set to nothing hides everything. A list names
boards by index in the runtime's own order, or by UUID, and ends at the first name that matches no
board, as it does in the runtimes (CUDA Programming Guide, environment variables; ROCm, GPU
isolation).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

Board = TypeVar("Board")

VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "CUDA_DEVICE_ORDER",
    "ROCR_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
)
"""What decides which boards are read; processes that agree in all of them can share a reader."""


def selection(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables that are set, for comparing the choice of two processes."""
    return {name: environment[name] for name in VARIABLES if name in environment}


def chosen(
    names: str | None,
    boards: Sequence[Board],
    by_name: Callable[[str], Sequence[Board]],
) -> list[Board]:
    """The boards that a list names, each once, in the order of the list.

    Args:
        names: value of the variable; None if it is not set.
        boards: all boards, in the order that indexes count in.
        by_name: the boards that a name which is no index can mean; the name is valid if that is
            exactly one.
    """
    if names is None:
        return list(boards)
    shown: list[Board] = []
    for name in map(str.strip, names.split(",")):
        if name.isdigit():
            matches = boards[int(name) : int(name) + 1]
        else:
            matches = by_name(name) if name else ()
        if len(matches) != 1:
            break
        if matches[0] not in shown:
            shown.append(matches[0])
    return shown


def has_index(names: str | None) -> bool:
    """Whether a list names any board by its index."""
    return any(name.strip().isdigit() for name in (names or "").split(","))
