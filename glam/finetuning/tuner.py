"""The steps of fine-tuning: epochs over examples, the validation loss after each, the best kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from glam.config import Training
from glam.data.tokenizer import END
from glam.finetuning.examples import Example, batches
from glam.finetuning.weights import Tuned
from glam.generation.work import Work
from glam.model.cross_entropy import ChunkedCrossEntropy
from glam.model.decoder import Glam
from glam.recipe import require
from glam.training.optimizer import build_optimizer, update


@dataclass(frozen=True)
class Recipe:
    """How a model is tuned.

    Attributes:
        weights: all, frozen-router or adapters.
        rank: of adapters.
        targets: of adapters.
        learning_rate: of AdamW at its peak.
        batch: examples of a step.
        epochs: most passes over the training examples.
        patience: epochs without a lower validation loss after which tuning ends.
        seed: of the order of examples.
    """

    weights: str = "all"
    rank: int = 8
    targets: tuple[str, ...] = ("attention", "dense", "experts")
    learning_rate: float = 1e-3
    batch: int = 32
    epochs: int = 10
    patience: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        usable = 0 < self.learning_rate < math.inf
        require(usable, "--learning-rate", "a number above 0", self.learning_rate)


@dataclass
class Progressed:
    """How far tuning has come.

    Attributes:
        step: steps done.
        epoch: epochs done.
        best_step: the step of the lowest validation loss.
        losses: validation loss after each epoch, in nats a token of an answer; the first is that
            of the model before.
        skipped: steps whose loss or gradient was not finite.
        work: tokens and forward FLOP of all steps.
    """

    step: int
    epoch: int
    best_step: int
    losses: list[float]
    skipped: int
    work: Work


class Tuner:
    """Tunes a model on examples.

    Args:
        tuned: the model and which of its weights are trained.
        recipe: how.
        train: training examples.
        validation: examples that decide which epoch is kept.
        training: recipe of the model's run, for the weight of its balancing loss.
        meter: a running tracker.
    """

    def __init__(
        self,
        tuned: Tuned,
        recipe: Recipe,
        train: Sequence[Example],
        validation: Sequence[Example],
        training: Training,
        meter: Any,
    ) -> None:
        self.tuned, self.recipe, self.meter = tuned, recipe, meter
        self.train, self.validation = train, validation
        self.steps = recipe.epochs * math.ceil(len(train) / recipe.batch)
        self.training = _settings(training, recipe, self.steps)
        self.optimizer = build_optimizer(tuned.model, self.training)
        self.done = Progressed(0, 0, 0, [], 0, Work())

    def run(
        self,
        keep: Callable[[int, float], None],
        stop: Callable[[], bool] = lambda: False,
        on_epoch: Callable[[Progressed], None] = lambda done: None,
    ) -> Progressed:
        """Tune until the last epoch, or until the validation loss has not fallen for long enough.

        Args:
            keep: called with step and validation loss where it is the lowest so far, at first with
                that of the model before.
            stop: whether to end after the current step.
            on_epoch: called after each epoch.
        """
        done, recipe = self.done, self.recipe
        self._validate(keep)
        on_epoch(done)
        while done.epoch < recipe.epochs and not stop():
            for batch in batches(self.train, recipe.batch, recipe.seed, done.epoch):
                with self.meter.window("step", phase="finetuning"):
                    self._step(batch)
                if stop():
                    return done
            done.epoch += 1
            self._validate(keep)
            on_epoch(done)
            if len(done.losses) - 1 - _first_lowest(done.losses) >= recipe.patience:
                break
        return done

    def _step(self, batch: Sequence[Example]) -> None:
        """Apply one update of the mean loss over the tokens of answers of a batch."""
        model, done = self.tuned.model, self.done
        loss, balancing = answer_loss(model, batch, done.work)
        objective = loss
        if self.tuned.weights == "all":
            objective = loss + self.training.auxiliary_weight * balancing
        objective.backward()
        done.step += 1
        applied = update(model, self.optimizer, self.training, done.step, loss)
        done.skipped += not applied

    @torch.no_grad()
    def _validate(self, keep: Callable[[int, float], None]) -> None:
        """Add the validation loss; keep the weights if it is the lowest."""
        with self.meter.window("validate", phase="evaluation"):
            total = count = 0.0
            for begin in range(0, len(self.validation), self.recipe.batch):
                batch = self.validation[begin : begin + self.recipe.batch]
                tokens = sum(example.answer for example in batch)
                loss, _ = answer_loss(self.tuned.model, batch, Work())
                total, count = total + float(loss) * tokens, count + tokens
        losses = self.done.losses
        losses.append(total / count)
        if len(losses) == 1 or losses[-1] < min(losses[:-1]):
            self.done.best_step = self.done.step
            with self.meter.window("checkpoint", phase="checkpoint"):
                keep(self.done.step, losses[-1])


def answer_loss(model: Glam, batch: Sequence[Example], work: Work) -> tuple[Tensor, Tensor]:
    """Return the mean loss in nats over all tokens of answers, and the balancing loss.

    Sequences are padded at their end, where no token attends to.

    Args:
        model: the model.
        batch: its examples.
        work: to which tokens and FLOP are added.
    """
    lengths = [len(example.tokens) - 1 for example in batch]
    width, place = max(lengths), model.embedding.device
    tokens = torch.full((len(batch), width + 1), END)
    wanted = torch.zeros((len(batch), width), dtype=torch.bool)
    for row, (example, length) in enumerate(zip(batch, lengths, strict=True)):
        tokens[row, : length + 1] = torch.tensor(example.tokens)
        wanted[row, length - example.answer : length] = True
    tokens, wanted = tokens.to(place), wanted.to(place)
    states, routings = model.hidden_states(tokens[:, :-1])
    output = model.embedding if torch.is_grad_enabled() else model.embedding.detach()
    loss, _ = ChunkedCrossEntropy.apply(states[wanted], output, tokens[:, 1:][wanted])
    work.add_sequences(model.shape, lengths, width, int(wanted.sum()))
    return loss, model.auxiliary_loss(routings)


def _settings(training: Training, recipe: Recipe, steps: int) -> Training:
    """Return settings of AdamW: a tenth of the steps of warm-up, then a cosine to a tenth."""
    return replace(
        training,
        optimizer="adamw",
        learning_rate=recipe.learning_rate,
        weight_decay=0.0,
        steps=max(steps, 1),
        warmup_steps=max(1, steps // 10),
        gradient_accumulation=1,
    )


def _first_lowest(losses: Sequence[float]) -> int:
    return losses.index(min(losses))
