"""The loop's body: one step, one evaluation, one checkpoint, each a window of the tracker.

A step is a batch by (seed, step), one forward and backward pass, and one update that is skipped
when loss or gradient is not finite. A run that diverges goes back to its newest checkpoint and
passes over the batches since. What was spent is the tracker's business, what was computed is
counted here; what was thrown away is marked in the ledger as wasted.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from energy.errors import InfeasibleError
from energy.flops import mfu, model_flop
from energy.shape import total
from glam.checkpoints.checkpoint import Checkpoint, latest_checkpoint
from glam.checkpoints.writer import CheckpointWriter
from glam.config import GlamConfig, Training
from glam.data.corpus import TokenCorpus
from glam.device import precision
from glam.model.decoder import Glam, Output, merged
from glam.training.divergence import Health
from glam.training.metrics import keep_metrics, routing_row
from glam.training.optimizer import build_optimizer, learning_rate, update
from glam.training.state import State
from glam.training.stop import Spent, reached


@dataclass
class Loop:
    """What a step needs, gathered once."""

    config: GlamConfig
    out: Path
    device: torch.device
    corpus: TokenCorpus
    model: Glam
    optimizer: torch.optim.Optimizer
    state: State
    meter: Any
    peak: float
    before: tuple[float | None, float]
    writer: CheckpointWriter
    health: Health = field(default_factory=Health)

    def __post_init__(self) -> None:
        self.tokens_per_step = int(self.config.training.batch_sequences * self.config.shape.seq_len)
        self.flop_per_token = float(total(model_flop(self.config.shape)))
        self.saved_at = self.state.step
        self.logged_at, self.logged_s = self.state.step, time.monotonic()
        self.evaluated_at = -1

    def step(self) -> dict[str, Any] | None:
        """Do the next step; give a line of metrics when one is due."""
        training, state, begun_ns = self.config.training, self.state, time.monotonic_ns()
        self.writer.look()
        with self.meter.window("step", phase="compute"):
            output = self._backward(state.step + state.passed_over)
            applied = update(self.model, self.optimizer, training, state.step + 1, output.loss)
            state.loss = output.loss.item()
        state.step += 1
        if not applied:
            state.skipped += 1
            self.meter.mark("wasted", since_ns=begun_ns, why="loss or gradient not finite")
        self.meter.mark(
            "step",
            step=state.step,
            tokens=state.step * self.tokens_per_step,
            model_flop=self.tokens_per_step * self.flop_per_token,
        )
        why = self.health.diverged(state.loss, applied)
        if why is not None:
            self._roll_back(why)
            return None
        last = state.step == training.steps
        if _due(state.step, training.evaluate_every) and not last:
            self.evaluate()
        row = None
        if _due(state.step, training.log_every) or state.step == 1 or last:
            row = self._row(training, output)
            self._write(row)
        if _due(state.step, training.checkpoint_every) and not last and not self.health.doubtful:
            self.checkpoint()
        return row

    def stopped(self, row: dict[str, Any] | None = None) -> str | None:
        """The rule that ends the run here, from a line of metrics or before the first step."""
        energy_j, elapsed_s = self.before
        if row is not None:
            energy_j, elapsed_s = row["energy_j"], row["elapsed_s"]
        tokens = self.state.step * self.tokens_per_step
        spent = Spent(tokens, tokens * self.flop_per_token, energy_j, elapsed_s, self.state.loss)
        return reached(self.config.stop, spent)

    def restore(self, found: Checkpoint) -> None:
        """Put weights, optimizer and the loop's own memory where a checkpoint has them."""
        found.restore(self.model, self.optimizer)
        memory, state = found.memory, self.state
        self.health = Health(memory.get("health"))
        state.step = self.saved_at = self.logged_at = found.step
        state.skipped = memory.get("skipped", state.skipped)
        state.rollbacks = memory.get("rollbacks", 0)
        state.passed_over = memory.get("passed_over", 0)

    def _roll_back(self, why: str) -> None:
        """Go on from the newest checkpoint with the batches after those that diverged."""
        state, at = self.state, self.state.step
        skipped, rollbacks = state.skipped, state.rollbacks + 1
        advice = "lower learning_rate, or look at the text around this step"
        if rollbacks > self.config.training.rollbacks:
            raise InfeasibleError(
                f"expected a run that converges; at step {at} {why}",
                f"{state.rollbacks} rollbacks before",
                advice,
            )
        self.writer.settle()
        found = latest_checkpoint(self.writer.folder)
        if found is None:
            raise InfeasibleError(
                "expected a healthy checkpoint to go back to",
                f"none at step {at}: {why}",
                f"{advice}, or lower checkpoint_every",
            )
        self.meter.mark("wasted", since_step=found.step, why=why)
        # State that a diverged optimizer holds and the checkpoint does not know must not stay.
        self.optimizer = build_optimizer(self.model, self.config.training)
        self.restore(found)
        state.skipped, state.rollbacks = skipped, rollbacks
        state.passed_over += at - found.step
        keep_metrics(self.out / "metrics.jsonl", found.step)
        self.meter.mark("rollback", step=found.step, why=why)
        print(
            f"{why}; back to step {found.step} ({rollbacks} of at most "
            f"{self.config.training.rollbacks} times)",
            file=sys.stderr,
        )

    def evaluate(self) -> None:
        """Mean loss on batches of held-out documents, the same ones every time."""
        losses = []
        with self.meter.window("evaluate", phase="evaluation"), torch.no_grad():
            for index in range(self.config.training.evaluate_batches):
                batch = self._batch(index, "held_out")
                parts = batch.chunk(self.config.training.accumulate)
                with precision(self.device):
                    losses.append(merged([self.model(part) for part in parts]).loss.item())
        self.state.held_out_loss = sum(losses) / len(losses)
        self.evaluated_at = self.state.step

    def checkpoint(self, *, last: bool = False) -> None:
        """Have a checkpoint of this step written, unless it is or will be; wait for the last."""
        state, taken = self.state, self.saved_at == self.state.step
        if taken and not last:
            return
        with self.meter.window("checkpoint", phase="checkpoint"):
            if not taken:
                evaluated = self.evaluated_at == state.step
                self.writer.settle()  # else two copies would stand in memory
                self.writer.write(
                    Checkpoint.of(
                        state.step,
                        self.config,
                        self.model,
                        self.optimizer,
                        memory={
                            "skipped": state.skipped,
                            "rollbacks": state.rollbacks,
                            "passed_over": state.passed_over,
                            "health": self.health.memory(),
                        },
                        held_out_loss=state.held_out_loss if evaluated else math.nan,
                    )
                )
            if last:
                self.writer.settle()
        self.meter.mark("checkpoint", step=state.step)
        self.saved_at = state.step

    def _backward(self, step: int) -> Output:
        """Gradients of a step's batch, in as many passes as the recipe asks for."""
        training = self.config.training
        draw = None
        if self.config.dispatch.kind == "gshard":
            # A function of seed and step alone, so that a resumed run draws what it would have.
            key = f"{training.seed} {step}".encode()
            chance = int.from_bytes(hashlib.blake2b(key, digest_size=7).digest())
            draw = torch.Generator(self.device).manual_seed(chance)
        outputs = []
        for part in self._batch(step, "train").chunk(training.accumulate):
            with precision(self.device):
                output = self.model(part, draw)
            auxiliary = training.auxiliary_weight * output.auxiliary_loss
            total_loss = output.loss + auxiliary + training.z_loss_weight * output.z_loss
            (total_loss / training.accumulate).backward()
            outputs.append(output)
        return merged(outputs)

    def _batch(self, index: int, split: str) -> torch.Tensor:
        # Held-out batches are the same for every seed, so that losses of two runs compare.
        batch = self.corpus.batch(
            self.config.training.seed if split == "train" else 0,
            index,
            split=split,
            sequences=self.config.training.batch_sequences,
            length=int(self.config.shape.seq_len) + 1,
        )
        return torch.from_numpy(batch).to(self.device)

    def _row(self, training: Training, output: Output) -> dict[str, Any]:
        state, now, spent = self.state, time.monotonic(), self.meter.snapshot()
        energy_j, elapsed_s = self.before
        both = energy_j is not None and spent.energy.value is not None
        energy_j = energy_j + spent.energy.value if both else None
        rate = (state.step - self.logged_at) * self.tokens_per_step / (now - self.logged_s)
        self.logged_at, self.logged_s = state.step, now
        row = {
            "step": state.step,
            "tokens": state.step * self.tokens_per_step,
            "loss": state.loss,
            "learning_rate": learning_rate(training, state.step),
            "tokens_per_s": rate,
            "elapsed_s": elapsed_s + spent.elapsed_s,
            "power_w": spent.power_w.value,
            "power_origin": str(spent.power_w.origin),
            "energy_j": energy_j,
            "energy_origin": str(spent.energy.origin),
            "mfu": mfu(rate, self.flop_per_token, 1, self.peak),
            "skipped_steps": state.skipped,
            "rollbacks": state.rollbacks,
        }
        row |= routing_row(output)
        if self.evaluated_at == state.step:
            row["held_out_loss"] = state.held_out_loss
        return row

    def _write(self, row: dict[str, Any]) -> None:
        """Append a line of metrics; NaN, which JSON does not know, is null."""
        told = {name: None if value != value else value for name, value in row.items()}
        with (self.out / "metrics.jsonl").open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(told, allow_nan=True) + "\n")


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0
