"""Detection of divergence: updates skipped in a row, or a loss far above its own median."""

from __future__ import annotations

import math
from statistics import median
from typing import Any

WINDOW_STEPS = 64
"""Steps of the running median of the loss."""


HIGH_LOSS_RATIO = 1.5
"""A loss above this multiple of its running median is high."""


MAX_HIGH_LOSSES = 10
"""This many high losses in a row are a divergence."""


MAX_SKIPPED_UPDATES = 5
"""This many skipped updates in a row are a divergence."""


class DivergenceDetector:
    """Watches the training loss for divergence.

    Args:
        state: the state of an earlier detector, from `state_dict`.
    """

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        state = state or {}
        self.losses: list[float] = list(state.get("losses", []))
        self._high_losses, self._skipped = int(state.get("high", 0)), int(state.get("skips", 0))

    def state_dict(self) -> dict[str, Any]:
        """Return the detector's state as plain values, for a checkpoint."""
        return {"losses": self.losses, "high": self._high_losses, "skips": self._skipped}

    @property
    def doubtful(self) -> bool:
        """Whether the last update was skipped or its loss high; such a state is not saved."""
        return bool(self._high_losses or self._skipped)

    def observe(self, loss: float, applied: bool) -> str | None:
        """Take in the result of a step.

        High losses do not enter the median that they are compared with.

        Args:
            loss: training loss of the step.
            applied: whether its update was applied.

        Returns:
            Why the run has diverged, or None if it has not.
        """
        if not applied or not math.isfinite(loss):
            self._skipped += 1
            if self._skipped >= MAX_SKIPPED_UPDATES:
                return f"{self._skipped} updates in a row were skipped"
            return None
        self._skipped = 0
        usual = median(self.losses) if len(self.losses) >= MAX_HIGH_LOSSES else math.inf
        if loss > HIGH_LOSS_RATIO * usual:
            self._high_losses += 1
            if self._high_losses >= MAX_HIGH_LOSSES:
                return (
                    f"loss {loss:.3f} above {HIGH_LOSS_RATIO:g} times its median {usual:.3f} "
                    f"for {self._high_losses} steps"
                )
            return None
        self._high_losses = 0
        self.losses = [*self.losses[1 - WINDOW_STEPS :], loss]
        return None
