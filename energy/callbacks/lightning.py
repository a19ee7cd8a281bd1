"""Meter Lightning: `Trainer(callbacks=[EnergyCallback("runs/mine")])`.

Each training batch is a window and a mark, a validation is a window of its own phase, and a saved
checkpoint is a mark. Joules, watts and grams go to every logger of the Trainer, whenever it logs.
The record is written when fitting ends; if it ends with an exception, the record says so.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import Callback

from energy.callbacks.loop import Loop


class EnergyCallback(Callback):
    """Meters fitting into a folder.

    Args:
        out_dir: folder of ledger and record.json.
        sync: called at the edges of windows (for CUDA: torch.cuda.synchronize).
        zone: grid zone, for CO2; see `energy grid`.
        pue: facility over IT energy.
        **tracker: further arguments of `energy.Tracker`.
    """

    def __init__(
        self,
        out_dir: str | Path,
        sync: Callable[[], object] | None = None,
        *,
        zone: str | None = None,
        pue: float | None = None,
        **tracker: Any,
    ) -> None:
        self.loop = Loop(out_dir, sync=sync, zone=zone, pue=pue, whole_node=True, **tracker)
        self._logged_step = 0

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Start metering, on the first rank of each node: one sampler reads all devices."""
        if trainer.local_rank == 0:
            self.loop.open(resume_step=trainer.global_step)

    def on_train_batch_start(self, trainer: Any, *_: Any) -> None:
        """Open the window of a batch."""
        self.loop.begin("batch")

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        """Close the window and mark the step."""
        self.loop.end("batch")
        self.loop.mark("step", step=trainer.global_step)
        step, every = trainer.global_step, trainer.log_every_n_steps
        if every and step % every == 0 and step != self._logged_step:
            self._logged_step = step
            _send(trainer, self.loop.metrics())

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        """Open the window of a validation."""
        self.loop.begin("validation", phase="evaluation")

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Close the window of a validation."""
        self.loop.end("validation")

    def on_save_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: Any) -> None:
        """Mark a checkpoint."""
        self.loop.mark("checkpoint", step=trainer.global_step)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Write the record of what was spent before the exception."""
        self._close(trainer, raised=f"training ended with {type(exception).__name__}")

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        """Log what was spent in all, and write the record."""
        self._close(trainer)

    def _close(self, trainer: Any, raised: str | None = None) -> None:
        self.loop.close(raised=raised, log=lambda values: _send(trainer, values))


def _send(trainer: Any, values: dict[str, float]) -> None:
    """Send what was spent so far to the Trainer's loggers."""
    for logger in trainer.loggers if values else ():
        logger.log_metrics(values, step=trainer.global_step)
