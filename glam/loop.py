"""The loop's body: one step, one evaluation, one checkpoint, each a window of the tracker.

A step is a batch by (seed, step), one forward and backward pass, and one update that is skipped
when a gradient is not finite. What was spent is the tracker's business, what was computed is
counted here.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from energy.flops import mfu, model_flop
from energy.shape import total
from glam.checkpoint import save_checkpoint
from glam.config import GlamConfig, Training
from glam.corpus import TokenCorpus
from glam.device import precision
from glam.metrics import routing_row
from glam.model import Glam, Output, merged
from glam.optim import learning_rate, update
from glam.state import State
from glam.stop import Spent, reached


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

    def __post_init__(self) -> None:
        self.tokens_per_step = int(self.config.training.batch_sequences * self.config.shape.seq_len)
        self.flop_per_token = float(total(model_flop(self.config.shape)))
        self.saved_at = self.state.step
        self.logged_at, self.logged_s = self.state.step, time.monotonic()

    def step(self) -> dict[str, Any] | None:
        """Do the next step; give a line of metrics when one is due."""
        training, state = self.config.training, self.state
        with self.meter.window("step", phase="compute"):
            output = self._backward(state.step)
            applied = update(self.model, self.optimizer, training, state.step + 1)
            state.loss = output.loss.item()
        state.step += 1
        state.skipped += not applied
        self.meter.mark("step", step=state.step, tokens=state.step * self.tokens_per_step,
                        model_flop=self.tokens_per_step * self.flop_per_token)  # fmt: skip
        if _due(state.step, training.evaluate_every) and state.step < training.steps:
            self.evaluate()
        row = None
        if _due(state.step, training.log_every) or state.step in (1, training.steps):
            row = self._row(training, output)
        if _due(state.step, training.checkpoint_every):
            self.checkpoint()
        return row

    def stopped(self, row: dict[str, Any] | None = None) -> str | None:
        """The rule that ends the run here, from a line of metrics or before the first step."""
        energy_j, elapsed_s = self.before
        if row is not None:
            elapsed_s += row["elapsed_s"]
            both = energy_j is not None and row["energy_j"] is not None
            energy_j = energy_j + row["energy_j"] if both else None
        tokens = self.state.step * self.tokens_per_step
        spent = Spent(tokens, tokens * self.flop_per_token, energy_j, elapsed_s, self.state.loss)
        return reached(self.config.stop, spent)

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

    def checkpoint(self) -> None:
        """Write a checkpoint of this step, unless it is there."""
        if self.saved_at == self.state.step:
            return
        with self.meter.window("checkpoint", phase="checkpoint"):
            save_checkpoint(self.out / "checkpoints", self.state.step, self.config, self.model,
                            self.optimizer)  # fmt: skip
        self.meter.mark("checkpoint", step=self.state.step)
        self.saved_at = self.state.step

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
        batch = self.corpus.batch(
            self.config.training.seed, index, split=split,
            sequences=self.config.training.batch_sequences,
            length=int(self.config.shape.seq_len) + 1,
        )  # fmt: skip
        return torch.from_numpy(batch).to(self.device)

    def _row(self, training: Training, output: Output) -> dict[str, Any]:
        state, now, spent = self.state, time.monotonic(), self.meter.snapshot()
        rate = (state.step - self.logged_at) * self.tokens_per_step / (now - self.logged_s)
        self.logged_at, self.logged_s = state.step, now
        row = {
            "step": state.step, "tokens": state.step * self.tokens_per_step, "loss": state.loss,
            "learning_rate": learning_rate(training, state.step), "tokens_per_s": rate,
            "elapsed_s": spent.elapsed_s, "power_w": spent.power_w.value,
            "energy_j": spent.energy.value, "energy_origin": str(spent.energy.origin),
            "mfu": mfu(rate, self.flop_per_token, 1, self.peak), "skipped_steps": state.skipped,
        }  # fmt: skip
        row |= routing_row(output)
        if state.held_out_loss == state.held_out_loss:
            row["held_out_loss"] = state.held_out_loss
        return row


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0
