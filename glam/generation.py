"""Text generation from a checkpoint: temperature and nucleus sampling (arXiv:1904.09751)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from energy.errors import InputError
from glam.checkpoints.checkpoint import (
    Checkpoint,
    best_checkpoint,
    latest_checkpoint,
    load_checkpoint,
)
from glam.config import Dispatch
from glam.data.tokenizer import END, Tokenizer
from glam.device import choose_device
from glam.model.decoder import Glam


def generate(
    run: str | Path,
    prompt: str = "",
    *,
    tokens: int = 100,
    temperature: float = 0.8,
    top_p: float = 0.95,
    seed: int = 0,
    device: str = "auto",
    best: bool = False,
) -> Iterator[str]:
    """Continue a prompt with a checkpoint of a run.

    Args:
        run: folder of a run of `glam train`.
        prompt: text to continue.
        tokens: maximum number of tokens to add; generation ends earlier at the end of a document.
        temperature: sampling temperature; 0 always takes the most likely token.
        top_p: tokens are drawn from the smallest set with at least this probability.
        seed: seed of the sampling.
        device: auto, cpu or cuda.
        best: use the checkpoint with the lowest validation loss instead of the newest one.

    Yields:
        The text of each new token, as soon as it is sampled.

    Raises:
        InputError: the folder has no usable checkpoint or tokenizer, or with `best` no checkpoint
            that was evaluated.
    """
    run = Path(run)
    if run.is_file():
        raise InputError("expected the folder of a run", f"the file {run}")
    checkpoint = _select_checkpoint(run / "checkpoints", best)
    place = choose_device(device)
    tokenizer = Tokenizer.load(run / "tokenizer.model")
    # Dropless whatever the dispatch in training: no token of the prompt loses its expert.
    model = Glam.from_checkpoint(checkpoint, dispatch=Dispatch()).to(place).eval()
    generator = torch.Generator(device=place).manual_seed(seed)
    ids = tokenizer.encode(prompt) or [END]
    context, emitted = int(checkpoint.config.shape.seq_len), tokenizer.decode(ids)
    for _ in range(tokens):
        with torch.no_grad():
            logits = model.logits(torch.tensor([ids[-context:]], device=place))[0]
        ids.append(_sample(logits, temperature, top_p, generator))
        if ids[-1] == END:
            return
        # Decode the whole text again: a new token may change how its neighbors are written.
        text = tokenizer.decode(ids)
        yield text[len(emitted) :]
        emitted = text


def _select_checkpoint(folder: Path, best: bool) -> Checkpoint:
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


def _sample(
    logits: torch.Tensor, temperature: float, top_p: float, generator: torch.Generator
) -> int:
    """Sample one token from logits (V)."""
    if temperature == 0:
        return int(logits.argmax())
    probabilities, order = (logits / temperature).softmax(-1).sort(descending=True)
    # Keep each token whose more likely ones sum to less than top_p; the first is always kept.
    probabilities[probabilities.cumsum(-1) - probabilities >= top_p] = 0
    return int(order[torch.multinomial(probabilities, 1, generator=generator)])
