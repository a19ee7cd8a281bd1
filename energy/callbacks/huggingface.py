"""Meter the Hugging Face Trainer: `Trainer(..., callbacks=[EnergyCallback("runs/mine")])`.

Each optimiser step is a window and a mark; evaluation and saving are windows of their own phase;
the joules so far stand in the logs; the record is written when training ends. A Trainer that
resumes from a checkpoint continues the ledger in its folder, and what it does again is wasted.
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
        """Open the meters; the first rank of each node only, as one sampler sees all devices."""
        if args.local_rank in (-1, 0):
            self.loop.open(resume_step=state.global_step)

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Open the window of an optimiser step."""
        self.loop.begin("step")

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Close it, and mark the step."""
        self.loop.end("step")
        self.loop.mark("step", step=state.global_step)

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Close the window of an evaluation, which began with its first batch."""
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
        """Add the joules so far, with their origin, to what the Trainer logs."""
        told = self.loop.so_far()
        if logs is not None and told:
            logs.update(told)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Write the record."""
        tokens = getattr(state, "num_input_tokens_seen", 0)
        self.loop.close(tokens=tokens)
