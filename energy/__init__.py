"""The floor of the house: words, facts, formulas, meters, ledger and reports.

Names are loaded on first use, so that `import energy` costs a training script nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from energy.quantity import Boundary, Origin, Quantity
    from energy.record import RunRecord
    from energy.shape import Shape
    from energy.tracking.tracker import Tracker

_HOMES = {
    "Boundary": "energy.quantity",
    "Origin": "energy.quantity",
    "Quantity": "energy.quantity",
    "RunRecord": "energy.record",
    "Shape": "energy.shape",
    "Tracker": "energy.tracking.tracker",
}

__all__ = ["Boundary", "Origin", "Quantity", "RunRecord", "Shape", "Tracker"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'energy' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
