"""A trained model that answers: the weights of a checkpoint and the tokenizer of its run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from energy.errors import InputError
from glam.checkpoints.checkpoint import (
    Checkpoint,
    best_checkpoint,
    is_checkpoint,
    latest_checkpoint,
    load_checkpoint,
)
from glam.config import Dispatch, GlamConfig
from glam.data.tokenizer import Tokenizer
from glam.device import choose_device
from glam.model.decoder import Glam


@dataclass(frozen=True)
class Trained:
    """A trained model.

    Attributes:
        config: it was trained by.
        step: of the checkpoint.
        model: dropless and in float32, on its device.
        tokenizer: of its run.
    """

    config: GlamConfig
    step: int
    model: Glam
    tokenizer: Tokenizer


def load_trained(path: Path, device: str = "auto", *, best: bool = False) -> Trained:
    """Load a model to answer with.

    It is dropless whatever the dispatch in training, so that no token loses its expert, and in
    float32, because the products of one token wait for weights and not for FLOP.

    Args:
        path: folder of a run, of which the newest checkpoint is taken, or a checkpoint in it.
        device: auto, cpu or cuda.
        best: take the checkpoint of the run with the lowest validation loss.

    Raises:
        InputError: there is no usable checkpoint or tokenizer, or with `best` no checkpoint that
            was evaluated.
        InfeasibleError: there is no such device.
    """
    place = choose_device(device)
    if is_checkpoint(path):
        checkpoint, run = load_checkpoint(path), path.absolute().parent.parent
    else:
        checkpoint, run = select_checkpoint(path / "checkpoints", best), path
    tokenizer = Tokenizer.load(run / "tokenizer.model")
    model = Glam.from_checkpoint(checkpoint, dispatch=Dispatch()).to(place).eval()
    model.dtype = torch.float32
    return Trained(checkpoint.config, checkpoint.step, model, tokenizer)


def select_checkpoint(folder: Path, best: bool) -> Checkpoint:
    """Return the newest checkpoint of a folder, or the one with the lowest validation loss.

    Raises:
        InputError: the folder has none, or with `best` none that was evaluated.
    """
    newest = latest_checkpoint(folder)
    if newest is None:
        raise InputError(
            f"expected a checkpoint in {folder}", "none", "name the --out folder of a glam train"
        )
    if not best:
        return newest
    path = best_checkpoint(folder)
    if path is None:
        raise InputError(
            f"expected a checkpoint in {folder} with a validation loss",
            "none",
            "leave --best away, or train with evaluate_every",
        )
    return load_checkpoint(path)
