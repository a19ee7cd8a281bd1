"""How well the memory model predicts whether a run fits, and how much memory it allocates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.fit.throughput import Evaluated
from simulator.published.throughput import ThroughputRow


@dataclass(frozen=True)
class MemoryCheck:
    """Predictions of the memory model beside what runs report; not a number where none reports it.

    Attributes:
        n: rows.
        ran_right: share predicted right among the runs that fitted in memory.
        out_of_memory_right: share predicted right among the runs that did not.
        balanced_accuracy: mean of both shares.
        median_abs_rel_error: of the bytes allocated between steps; None where no row has them.
    """

    n: int
    ran_right: float
    out_of_memory_right: float
    balanced_accuracy: float
    median_abs_rel_error: float | None

    def as_json(self) -> dict[str, Any]:
        """The fields by name; None where nothing was reported."""
        shares = {
            "ran_right": self.ran_right,
            "out_of_memory_right": self.out_of_memory_right,
            "balanced_accuracy": self.balanced_accuracy,
        }
        table: dict[str, Any] = {"n": float(self.n)}
        table |= {name: None if np.isnan(share) else share for name, share in shares.items()}
        if self.median_abs_rel_error is not None:
            table["memory_median_abs_rel_error"] = self.median_abs_rel_error
        return table


def check_memory(rows: Sequence[ThroughputRow], evaluated: Evaluated) -> MemoryCheck:
    """Compare the memory model with the rows that it was evaluated on."""
    ran = np.array([row.fitted for row in rows])
    fits = evaluated.fits
    ran_right = float(fits[ran].mean()) if ran.any() else np.nan
    out_of_memory_right = float((~fits[~ran]).mean()) if (~ran).any() else np.nan
    ratios = [
        between / row.memory_bytes
        for row, between in zip(rows, evaluated.between_bytes, strict=True)
        if row.memory_bytes
    ]
    return MemoryCheck(
        n=len(rows),
        ran_right=ran_right,
        out_of_memory_right=out_of_memory_right,
        balanced_accuracy=float(np.nanmean([ran_right, out_of_memory_right])),
        median_abs_rel_error=(float(np.median(np.abs(np.array(ratios) - 1))) if ratios else None),
    )
