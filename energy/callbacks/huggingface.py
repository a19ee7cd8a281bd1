"""Meter the Hugging Face Trainer: `Trainer(..., callbacks=[EnergyCallback("runs/mine")])`.

Each optimizer step is a window and a mark, an evaluation is a window of its own phase, and a saved
checkpoint is a mark. The logs contain the joules so far; the record is written when training ends.
A Trainer that resumes from a checkpoint continues the ledger in its folder, and the steps that it
repeats count as wasted.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from energy.callbacks.loop import Loop


class EnergyCallback(TrainerCallback):
    """Meters training into a folder.

    Args:
        out_dir: folder of ledger and record.json.
        sync: called at the edges of windows (for CUDA: torch.cuda.synchronize).
        **tracker: further arguments of `energy.Tracker`.
    """

    def __init__(
        self, out_dir: str | Path, sync: Callable[[], object] | None = None, **tracker: Any
    ) -> None:
        self.loop = Loop(out_dir, sync=sync, **tracker)

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start metering, on the first rank of each node: one sampler reads all devices."""
        if args.local_rank in (-1, 0):
            self.loop.open(resume_step=state.global_step)

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Open the window of an optimizer step."""
        self.loop.begin("step")

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Close the window and mark the step."""
        self.loop.end("step")
        self.loop.mark("step", step=state.global_step)

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Close the window of an evaluation, which opened with its first batch."""
        self.loop.end("evaluation")

    def on_prediction_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Open the window of an evaluation at its first batch."""
        self.loop.begin("evaluation", phase="evaluation")

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Mark a checkpoint."""
        self.loop.mark("checkpoint", step=state.global_step)

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        """Add the joules so far, with their origin, to the logs of the Trainer."""
        if logs is not None:
            logs.update(self.loop.so_far())

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Write the record."""
        self.loop.close(tokens=getattr(state, "num_input_tokens_seen", 0))
