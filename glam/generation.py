"""Text from a checkpoint: one token at a time, by temperature and nucleus (arXiv:1904.09751)."""

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
from glam.data.tokenizer import END, Tokenizer
from glam.device import choose_device
from glam.model.decoder import Glam


def generate(
    run: Path,
    prompt: str,
    *,
    tokens: int,
    temperature: float = 0.8,
    top_p: float = 0.95,
    seed: int = 0,
    device: str = "auto",
    best: bool = False,
) -> Iterator[str]:
    """Continue a prompt with a checkpoint of a run; yields text as it comes.

    Args:
        run: folder of a run of `glam train`.
        prompt: text to continue.
        tokens: how many tokens to add.
        temperature: of the distribution; 0 takes the likeliest token.
        top_p: smallest set of tokens with this probability is drawn from.
        seed: of the draws.
        device: auto, cpu or cuda.
        best: with the checkpoint of the lowest held-out loss, not the newest.

    Raises:
        InputError: the folder holds no usable checkpoint or tokenizer, or none was evaluated.
    """
    found = _checkpoint(run / "checkpoints", best)
    place = choose_device(device)
    tokenizer = Tokenizer.load(run / "tokenizer.model")
    model = Glam(found.config.shape, found.config.training.seed)
    found.restore(model)
    model.to(place).eval()
    draws = torch.Generator(device=place).manual_seed(seed)
    ids = tokenizer.encode(prompt) or [END]
    window, shown = int(found.config.shape.seq_len), tokenizer.decode(ids)
    for _ in range(tokens):
        with torch.no_grad():
            logits = model.logits(torch.tensor([ids[-window:]], device=place))[0]
        ids.append(_draw(logits, temperature, top_p, draws))
        if ids[-1] == END:
            return
        # The whole text is decoded again: a piece may change how its neighbours are written.
        text = tokenizer.decode(ids)
        yield text[len(shown) :]
        shown = text


def _checkpoint(folder: Path, best: bool) -> Checkpoint:
    found = latest_checkpoint(folder)
    if found is None:
        raise InputError(f"expected a checkpoint in {folder}", "none", "train first")
    if not best:
        return found
    path = best_checkpoint(folder)
    if path is None:
        raise InputError(
            f"expected a checkpoint in {folder} with a held-out loss",
            "none",
            "leave --best away, or train with evaluate_every",
        )
    return load_checkpoint(path)


def _draw(logits: torch.Tensor, temperature: float, top_p: float, draws: torch.Generator) -> int:
    """One token from logits (V)."""
    if temperature == 0:
        return int(logits.argmax())
    chances, order = (logits / temperature).softmax(-1).sort(descending=True)
    # Tokens whose better ones hold less than top_p together stay; the likeliest always does.
    chances[chances.cumsum(-1) - chances >= top_p] = 0
    return int(order[torch.multinomial(chances, 1, generator=draws)])
