"""The state of a run: what its steps change besides weights and optimizer, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass

from energy.errors import InfeasibleError


@dataclass
class State:
    """The state of a run.

    Attributes:
        step: optimizer steps done.
        skipped_updates: updates skipped because the loss or a gradient was not finite.
        rollbacks: rollbacks to a healthy checkpoint after a divergence.
        skipped_batches: batches skipped by these rollbacks, so that the run does not diverge on
            them again.
        loss: training loss of the last step in nats per token.
        gradient_norm: norm of the gradients of the last step, before any clipping.
        validation_loss: last validation loss in nats per token.
        padding_steps: over all steps done, the sum of the rows that experts computed over those
            that model FLOP count.
    """

    step: int = 0
    skipped_updates: int = 0
    rollbacks: int = 0
    skipped_batches: int = 0
    loss: float = float("nan")
    gradient_norm: float = float("nan")
    validation_loss: float = float("nan")
    padding_steps: float = 0.0


@dataclass(frozen=True)
class Ending:
    """How a run ended.

    Attributes:
        interrupted: whether Ctrl-C ended it.
        stop_reason: why it ended before its last step, in words; None if it did not.
        error: the divergence that ended it, if one did.
    """

    interrupted: bool
    stop_reason: str | None = None
    error: InfeasibleError | None = None
