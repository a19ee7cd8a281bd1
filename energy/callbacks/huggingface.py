"""Meter the Hugging Face Trainer: `Trainer(..., callbacks=[EnergyCallback("runs/mine")])`.

Each optimizer step is a window and a mark; an evaluation and the writing of a checkpoint are
windows of phases of their own. Joules, watts and grams are in the logs of the Trainer, so in
`state.log_history`, TensorBoard and every other reporter. Tokens are counted as they enter the
model. The record is written when training ends. A Trainer that resumes from a checkpoint continues
the ledger in its folder, and the steps that it repeats count as wasted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from transformers import TrainerCallback
from transformers.trainer_callback import CallbackHandler, DefaultFlowCallback

from energy.callbacks.loop import Loop
from energy.quantity import Origin, Quantity

EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
"""Keys by which configurations of transformers tell a mixture of experts."""


class EnergyCallback(TrainerCallback):
    """Meters training into a folder.

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
        self._tokens = 0
        self._hook: Any = None

    def on_train_begin(
        self, args: Any, state: Any, control: Any, model: Any = None, **_: Any
    ) -> None:
        """Start metering, on the first rank of each node: one sampler reads all devices."""
        self._before_reporters(sys._getframe(1))
        if args.local_rank in (-1, 0):
            self.loop.open(resume_step=state.global_step)
            self._count_tokens(model)
            if getattr(args, "eval_on_start", False):
                self._begin_evaluation()

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Open the window of an optimizer step."""
        self.loop.cancel("checkpoint")
        self.loop.begin("step")

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Close the window and mark the step; what follows it has windows of its own."""
        self.loop.end("step")
        self.loop.mark("step", step=state.global_step)
        self._begin_what_follows(control)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Open the window of what follows an epoch."""
        self._begin_what_follows(control)

    def on_prediction_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Open the window of an evaluation that nothing announced."""
        self._begin_evaluation()

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Close the window of an evaluation; a checkpoint may follow."""
        self.loop.end("evaluation")
        if control.should_save or str(getattr(args, "save_strategy", "")).endswith("best"):
            self.loop.begin("checkpoint", phase="checkpoint")

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Close the window of a checkpoint, and mark it."""
        self.loop.end("checkpoint")
        self.loop.mark("checkpoint", step=state.global_step)

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        """Add joules, watts and grams to the logs, for the reporters that come after."""
        if logs is None:
            return
        if "train_runtime" in logs:
            # The last logs of a training: reporters get the joules of all of it.
            self.loop.stop()
        values = self.loop.metrics()
        logs.update(values)
        if state.log_history:
            # The Trainer copies the logs into its history before it calls any callback.
            state.log_history[-1].update(values)

    def on_train_end(
        self, args: Any, state: Any, control: Any, model: Any = None, **_: Any
    ) -> None:
        """Write the record."""
        if self._hook is not None:
            self._hook.remove()
            self._hook = None
        tokens = self._tokens * int(getattr(args, "world_size", 1))
        self.loop.close(tokens=tokens, fields=_flop(state, model))

    def _begin_what_follows(self, control: Any) -> None:
        if control.should_evaluate:
            self._begin_evaluation()
        elif control.should_save:
            self.loop.begin("checkpoint", phase="checkpoint")

    def _begin_evaluation(self) -> None:
        self.loop.begin("evaluation", phase="evaluation")

    def _count_tokens(self, model: Any) -> None:
        """Count the tokens of every forward pass in training, from its `input_ids`."""
        self._tokens = 0
        if model is None:
            return

        def count(module: Any, arguments: Any, named: dict[str, Any]) -> None:
            ids: Any = named.get("input_ids", arguments[0] if arguments else None)
            if module.training and hasattr(ids, "numel") and not ids.is_floating_point():
                self._tokens += ids.numel()

        self._hook = model.register_forward_pre_hook(count, with_kwargs=True)

    def _before_reporters(self, caller: FrameType) -> None:
        """Move this callback before the reporters, which the Trainer puts before all of the user's.

        They would otherwise write the logs before the joules are in them. The handler that calls
        the callbacks does not pass itself, so it is taken from the calling frame; where that fails
        the reporters miss the joules, and nothing else.
        """
        handler = caller.f_locals.get("self")
        if not isinstance(handler, CallbackHandler) or self not in handler.callbacks:
            return
        # A new list, because the handler is going through the old one.
        others = [callback for callback in handler.callbacks if callback is not self]
        first = sum(isinstance(callback, DefaultFlowCallback) for callback in others[:1])
        handler.callbacks = [*others[:first], self, *others[first:]]


def _flop(state: Any, model: Any) -> dict[str, Quantity]:
    """The Trainer's own count of model FLOP, 6 x parameters x tokens; none for mixtures.

    For a mixture it counts all experts as if every token passed through them.
    """
    configuration = getattr(model, "config", None)
    sparse = any(getattr(configuration, key, 0) for key in EXPERTS)
    flop = float(getattr(state, "total_flos", 0) or 0)
    if sparse or not flop:
        return {}
    source = "transformers' total_flos: 6 x parameters x tokens, attention left out"
    return {"model_flop": Quantity.exact(flop, "FLOP", source, Origin.MODELLED)}
