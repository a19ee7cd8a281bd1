"""The trainer: optimizer steps, evaluations, checkpoints and rollbacks, each a metered window.

A step takes the batch of its number, accumulates gradients over micro-batches, and applies one
update, which is skipped if the loss or a gradient is not finite. A run that diverges rolls back to
its newest checkpoint and skips the batches since then. The tracker measures time and energy; the
trainer counts the work, and marks in the ledger what was wasted.
"""

from __future__ import annotations

import hashlib
import logging
import math
import time
from typing import Any

import torch

from energy.errors import InfeasibleError
from glam.checkpoints.checkpoint import Checkpoint
from glam.checkpoints.writer import CheckpointWriter
from glam.distributed.processes import Processes
from glam.model.decoder import Glam, Output, merge_micro_batches
from glam.training.divergence import DivergenceDetector
from glam.training.metrics import MetricsLog, mean_padding
from glam.training.optimizer import build_optimizer, gradient_norm, objective, update
from glam.training.setup import Setup
from glam.training.state import State
from glam.training.stop import spent_at, stop_reason
from glam.training.validation import evaluate

ADVICE = "lower learning_rate, or look at the text around this step"


logger = logging.getLogger("glam")


class Trainer:
    """Trains a model, one step at a time.

    Args:
        setup: the fixed parts of the run.
        model: model to train, on its device.
        optimizer: of the model (`build_optimizer`).
        state: state of the run; updated by each step.
        meter: running tracker of the run.
        writer: writer of checkpoints.
        processes: the processes of the run, if there are several.
    """

    def __init__(
        self,
        setup: Setup,
        model: Glam,
        optimizer: torch.optim.Optimizer,
        state: State,
        meter: Any,
        writer: CheckpointWriter,
        processes: Processes | None = None,
    ) -> None:
        self.setup, self.config = setup, setup.config
        self.processes = processes or Processes()
        self.model, self.optimizer = model, optimizer
        self.state, self.meter, self.writer = state, meter, writer
        self.detector = DivergenceDetector()
        self.metrics = MetricsLog(setup, state.step)
        self._saved_step = state.step
        self._evaluated_step = -1

    def step(self) -> dict[str, Any] | None:
        """Do the next optimizer step; return a line of metrics if one is due.

        Raises:
            InfeasibleError: the run has diverged too often, or before its first checkpoint.
        """
        state, begun_ns = self.state, time.monotonic_ns()
        self.writer.raise_pending_error()
        self.processes.begin_step(state.step + 1)
        with self.meter.window("step", phase="compute"):
            output = self._accumulate_gradients(state.step + state.skipped_batches)
            applied = self._update(output)
            state.loss = output.loss.item()
        if self.processes.parallelism is not None:
            # Its part of the step, so that what the attempts of a job lose adds up.
            self.meter.add_flop(self._flop_per_step / self.processes.ranks)
        state.padding_steps += mean_padding(output)
        state.step += 1
        self._mark_step(applied, begun_ns)
        divergence = self.detector.observe(state.loss, applied)
        if divergence is not None:
            self._roll_back(divergence)
            return None
        return self._finish_step(output)

    def stop_reason(self, row: dict[str, Any] | None = None) -> str | None:
        """Return the stop rule that ends the run here, in words; None to go on.

        Args:
            row: the newest line of metrics; None before the first step of this attempt.
        """
        energy_j, elapsed_s = self.setup.earlier.energy_j, self.setup.earlier.elapsed_s
        if row is not None:
            energy_j, elapsed_s = row["energy_j"], row["elapsed_s"]
        state = self.state
        spent = spent_at(self.config, state.step, energy_j, elapsed_s, state.loss)
        # Seconds and joules differ between processes.
        return self.processes.by_first(lambda: stop_reason(self.config.stop, spent))

    def restore(self, checkpoint: Checkpoint) -> None:
        """Return model, optimizer, state and metrics to those of a checkpoint."""
        self.processes.restore(checkpoint, self.model, self.optimizer)
        saved, state = checkpoint.trainer_state, self.state
        self.detector = DivergenceDetector(saved.get("divergence"))
        state.step = self._saved_step = checkpoint.step
        state.skipped_updates = saved.get("skipped_updates", state.skipped_updates)
        state.rollbacks = saved.get("rollbacks", 0)
        state.skipped_batches = saved.get("skipped_batches", 0)
        # Checkpoints from before it was counted had that of the capacity.
        former = checkpoint.step * self.setup.capacity_padding
        state.padding_steps = saved.get("padding_steps", former)
        last_row = self.metrics.rewind(checkpoint.step)
        if last_row is not None and last_row["loss"] is not None:
            state.loss = last_row["loss"]

    def evaluate(self) -> None:
        """Compute the validation loss of the current step, unless it is known."""
        if self._evaluated:
            return
        training = self.config.training
        with self.meter.window("evaluate", phase="evaluation"):
            evaluation = evaluate(
                self.model,
                self.setup.corpus,
                batches=training.evaluate_batches,
                batch_sequences=training.batch_sequences,
                micro_batches=training.gradient_accumulation,
                processes=self.processes,
            )
        self.state.validation_loss = evaluation.loss
        self._evaluated_step = self.state.step

    def evaluate_last(self) -> dict[str, Any] | None:
        """Evaluate where a run ends early; return its last line of metrics, which now says so."""
        if self._evaluated:
            return None
        self.evaluate()
        return self.metrics.amend(self.state.step, validation_loss=self.state.validation_loss)

    def checkpoint(self, *, last: bool = False) -> None:
        """Write a checkpoint of this step in the background; wait for the last one of a run."""
        captured = self._saved_step == self.state.step
        if captured and not last:
            return
        with self.meter.window("checkpoint", phase="checkpoint"):
            if not captured:
                self.writer.wait()  # so that no two copies are in memory
                self.writer.write(self._capture())
            if last:
                self.writer.wait()
        self.meter.mark("captured", step=self.state.step)  # the writer marks it once it is on disk
        self._saved_step = self.state.step

    def _capture(self) -> Checkpoint:
        """Copy the current state of the run into a checkpoint."""
        state = self.state
        return self.processes.capture(
            state.step,
            self.config,
            self.model,
            self.optimizer,
            trainer_state={
                "skipped_updates": state.skipped_updates,
                "rollbacks": state.rollbacks,
                "skipped_batches": state.skipped_batches,
                "padding_steps": state.padding_steps,
                "divergence": self.detector.state_dict(),
            },
            validation_loss=state.validation_loss if self._evaluated else math.nan,
        )

    @property
    def _flop_per_step(self) -> float:
        """Model FLOP of a step of all processes."""
        return self.setup.tokens_per_step * self.setup.model_flop_per_token

    @property
    def _evaluated(self) -> bool:
        """Whether the validation loss is that of the current step."""
        return self._evaluated_step == self.state.step

    def _accumulate_gradients(self, index: int) -> Output:
        """Compute the gradients of a batch, one micro-batch at a time."""
        training, outputs = self.config.training, []
        generator, parts = self._generator(index), training.gradient_accumulation
        for micro_batch in self._batch(index).chunk(parts):
            output = self.model(self.processes.own_part(micro_batch), generator)
            (objective(output, training) / (parts * self.processes.ranks)).backward()
            outputs.append(output)
        return self.processes.mean(merge_micro_batches(outputs))

    def _update(self, output: Output) -> bool:
        """Apply the update of the next step, or skip it; return whether it was applied."""
        norm = self.processes.sum_gradients()
        if norm is None:
            norm = gradient_norm(self.model)
        training, step = self.config.training, self.state.step + 1
        applied = update(self.model, self.optimizer, training, step, output.loss, norm)
        if applied:
            self.model.balance(output.routings)
        self.processes.end_update()
        # All work of the step is queued before its results are waited for.
        self.state.gradient_norm = norm.item()
        return bool(applied)

    def _generator(self, index: int) -> torch.Generator | None:
        """Return the random generator of a step; None for dropless dispatch, which has no use."""
        if self.config.dispatch.kind == "dropless":
            return None
        # A function of seed and batch alone, so that a resumed run samples the same experts.
        key = f"{self.config.training.seed} {index}".encode()
        seed = int.from_bytes(hashlib.blake2b(key, digest_size=7).digest())
        return torch.Generator(self.setup.device).manual_seed(seed)

    def _batch(self, index: int) -> torch.Tensor:
        batch = self.setup.corpus.batch(
            self.config.training.seed,
            index,
            sequences=self.config.training.batch_sequences,
            length=int(self.config.shape.seq_len) + 1,
        )
        return torch.from_numpy(batch).to(self.setup.device)

    def _mark_step(self, applied: bool, begun_ns: int) -> None:
        """Mark a finished step, and whether it was wasted, in the ledger."""
        if not applied:
            self.state.skipped_updates += 1
            self.meter.mark("wasted", since_ns=begun_ns, why="loss or gradient not finite")
        self.meter.mark(
            "step",
            step=self.state.step,
            tokens=self.state.step * self.setup.tokens_per_step,
            model_flop=self._flop_per_step,
        )

    def _finish_step(self, output: Output) -> dict[str, Any] | None:
        """Evaluate, write metrics and save a checkpoint where they are due after a step."""
        training, step = self.config.training, self.state.step
        last = step == training.steps
        if _due(step, training.evaluate_every) or last:
            self.evaluate()
        row = None
        # Every evaluation has its line.
        if _due(step, training.log_every) or step == 1 or self._evaluated:
            validation_loss = self.state.validation_loss if self._evaluated else None
            spent = self.processes.spent(self.meter.snapshot())
            row = self.metrics.write(self.state, output, spent, validation_loss)
        if _due(step, training.checkpoint_every) and not last and not self.detector.doubtful:
            self.checkpoint()
        return row

    def _roll_back(self, divergence: str) -> None:
        """Continue from the newest checkpoint with the batches after the diverged ones."""
        state, step = self.state, self.state.step
        skipped_updates, rollbacks = state.skipped_updates, state.rollbacks + 1
        if rollbacks > self.config.training.rollbacks:
            raise InfeasibleError(
                f"expected a run that converges; at step {step} {divergence}",
                f"{state.rollbacks} rollbacks before",
                ADVICE,
            )
        self.writer.wait()
        checkpoint = self.processes.latest_checkpoint(self.writer.folder)
        if checkpoint is None:
            raise InfeasibleError(
                "expected a healthy checkpoint to roll back to",
                f"none at step {step}: {divergence}",
                f"{ADVICE}, or lower checkpoint_every",
            )
        self.meter.mark("wasted", since_step=checkpoint.step, why=divergence)
        # A new optimizer, so that no state of the diverged one remains.
        self.optimizer = build_optimizer(
            self.processes.weights(self.model), self.config.training, self.processes.shards()
        )
        self.restore(checkpoint)
        state.skipped_updates, state.rollbacks = skipped_updates, rollbacks
        state.skipped_batches += step - checkpoint.step
        self.meter.mark("rollback", step=checkpoint.step, why=divergence)
        logger.warning(
            "%s; back to step %d (rollback %d of at most %d)",
            divergence,
            checkpoint.step,
            rollbacks,
            self.config.training.rollbacks,
        )


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0
