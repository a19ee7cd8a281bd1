"""The validation loss of a model or checkpoint."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch

from energy.errors import InputError
from glam.checkpoints.checkpoint import Checkpoint
from glam.data.corpus import TokenCorpus
from glam.device import choose_device
from glam.distributed.processes import Processes
from glam.model.decoder import Glam, merge_micro_batches

VALIDATION_SEED = 0
"""Seed of the validation batches: the same for every run, so that their losses compare."""


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation.

    Attributes:
        loss: mean cross-entropy in nats per token.
        tokens: tokens predicted.
    """

    loss: float
    tokens: int

    @property
    def perplexity(self) -> float:
        """Exponential of the loss; infinite where it is too large for a float."""
        try:
            return math.exp(self.loss)
        except OverflowError:
            return math.inf


def evaluate(
    model: Glam | Checkpoint | str | Path,
    corpus: TokenCorpus,
    *,
    split: str = "validation",
    batches: int = 8,
    batch_sequences: int = 8,
    micro_batches: int = 1,
    device: str = "auto",
    processes: Processes | None = None,
) -> Evaluation:
    """Return the loss of a model on a corpus, without changing the model.

    Batches are the same for every model and seed, so results on the same corpus with the same
    batch settings are comparable. With the batch settings of a run, the loss of its checkpoint is
    the validation loss that the run reports for that step.

    Args:
        model: a model, a checkpoint, or the path of a checkpoint file.
        corpus: tokens to evaluate on, with the vocabulary of the model.
        split: "validation" or "train".
        batches: number of batches.
        batch_sequences: sequences per batch, of `shape.seq_len` tokens each.
        micro_batches: equal parts that each batch is computed in, to save memory.
        device: device for a checkpoint: auto, cpu or cuda; a model stays where it is.
        processes: those that share the model and each batch, if there are several.

    Raises:
        InputError: the vocabularies differ, or the checkpoint cannot be read.
    """
    if not isinstance(model, Glam):
        model = Glam.from_checkpoint(model).to(choose_device(device))
    vocab_size = int(model.shape.vocab_size)
    if len(corpus.tokenizer) != vocab_size:
        raise InputError(
            f"expected a corpus with the model's vocabulary of {vocab_size} tokens",
            f"{len(corpus.tokenizer)} tokens",
            "load the corpus with the vocab_size of the model's shape",
        )
    place, seq_len = model.embedding.device, int(model.shape.seq_len)
    processes, losses = processes or Processes(), []
    with torch.no_grad():
        for index in range(batches):
            batch = corpus.batch(
                VALIDATION_SEED, index, split=split, sequences=batch_sequences, length=seq_len + 1
            )
            parts = torch.from_numpy(batch).to(place).chunk(micro_batches)
            output = merge_micro_batches([model(processes.own_part(part)) for part in parts])
            losses.append(processes.mean(output).loss.item())
    return Evaluation(sum(losses) / len(losses), batches * batch_sequences * seq_len)
