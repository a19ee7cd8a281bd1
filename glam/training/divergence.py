"""Whether a run is still healthy: steps that were skipped, and a loss that left its own past."""

from __future__ import annotations

import math
from statistics import median
from typing import Any

MEMORY = 64
"""Steps over which the running median of the loss is taken."""


DIVERGED_RATIO = 1.5
"""A loss above this multiple of its running median is high."""


DIVERGED_STEPS = 10
"""So many high losses one after another are a divergence."""


DIVERGED_SKIPS = 5
"""So many skipped updates one after another are one as well."""


class Health:
    """The last losses of a run, and what is wrong with them.

    Args:
        memory: what a checkpoint kept of it.
    """

    def __init__(self, memory: dict[str, Any] | None = None) -> None:
        told = memory or {}
        self.losses: list[float] = list(told.get("losses", []))
        self._high, self._skips = int(told.get("high", 0)), int(told.get("skips", 0))

    def memory(self) -> dict[str, Any]:
        """All of it, for a checkpoint."""
        return {"losses": self.losses, "high": self._high, "skips": self._skips}

    @property
    def doubtful(self) -> bool:
        """Whether the last step was skipped or its loss is high: no state to go back to."""
        return bool(self._high or self._skips)

    def diverged(self, loss: float, applied: bool) -> str | None:
        """Take up a step; why the run has diverged, or None.

        High losses do not enter the median that they are held against.
        """
        if not applied or not math.isfinite(loss):
            self._skips += 1
            if self._skips >= DIVERGED_SKIPS:
                return f"{self._skips} steps in a row were skipped"
            return None
        self._skips = 0
        usual = median(self.losses) if len(self.losses) >= DIVERGED_STEPS else math.inf
        if loss > DIVERGED_RATIO * usual:
            self._high += 1
            if self._high >= DIVERGED_STEPS:
                return (
                    f"loss {loss:.3f} above {DIVERGED_RATIO:g} times its median {usual:.3f} "
                    f"for {self._high} steps"
                )
            return None
        self._high = 0
        self.losses = [*self.losses[1 - MEMORY :], loss]
        return None
