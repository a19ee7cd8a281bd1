"""Where a run stands: what a step changes beside the weights."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class State:
    """Where a run stands.

    Attributes:
        step: optimizer steps done.
        skipped: updates left out because the loss or a gradient was not finite.
        rollbacks: returns to a healthy checkpoint after a divergence.
        passed_over: batches left out by these returns, so that none diverges on them again.
        loss: training loss of the last step, nats a token.
        held_out_loss: last loss on held-out documents.
    """

    step: int = 0
    skipped: int = 0
    rollbacks: int = 0
    passed_over: int = 0
    loss: float = float("nan")
    held_out_loss: float = float("nan")
