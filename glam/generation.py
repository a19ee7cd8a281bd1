"""Text generation from a checkpoint: temperature and nucleus sampling (arXiv:1904.09751)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

import torch

from energy import Tracker
from energy.errors import InputError
from glam.checkpoints.checkpoint import (
    Checkpoint,
    best_checkpoint,
    latest_checkpoint,
    load_checkpoint,
)
from glam.config import Dispatch
from glam.data.tokenizer import END, StreamDecoder, Tokenizer
from glam.device import choose_device
from glam.model.decoder import Glam
from glam.model.key_values import KeyValues, new_tokens


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
    meter: Tracker | None = None,
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
        meter: opened once the model is loaded; its windows and phases are prefill, which reads the
            prompt and gives the first token, and decode, a window for each other token.

    Yields:
        The text of each new token, as soon as its last character is complete.

    Raises:
        InputError: the folder has no usable checkpoint or tokenizer, or with `best` no checkpoint
            that was evaluated.
    """
    run = Path(run)
    if run.is_file():
        raise InputError("expected the folder of a run", f"the file {run}")
    checkpoint = select_checkpoint(run / "checkpoints", best)
    place = choose_device(device)
    tokenizer = Tokenizer.load(run / "tokenizer.model")
    # Dropless whatever the dispatch in training: no token of the prompt loses its expert.
    model = Glam.from_checkpoint(checkpoint, dispatch=Dispatch()).to(place).eval()
    model.dtype = torch.float32  # the products of one token wait for its weights, not for FLOP
    generator = torch.Generator(device=place).manual_seed(seed)
    ids, text = tokenizer.encode(prompt) or [END], StreamDecoder(tokenizer)
    next_logits = NextLogits(model)
    with meter or nullcontext():
        if meter:
            meter.mark("prompt_tokens", count=len(ids))
        for step in ["prefill", *["decode"] * (tokens - 1)]:
            with meter.window(step, phase=step) if meter else nullcontext():
                ids.append(_sample(next_logits(ids), temperature, top_p, generator))
            if meter:
                meter.add_tokens(1)
            if ids[-1] == END:
                break
            if piece := text.add(ids[-1]):
                yield piece
    if rest := text.rest():
        yield rest


class NextLogits:
    """The logits of the token after a sequence that grows; keys and values are kept.

    Args:
        model: the model, whose window is its sequence length.
    """

    def __init__(self, model: Glam) -> None:
        self._model, self._window = model, int(model.shape.seq_len)
        self._past: list[KeyValues] = []
        self._known = 0

    @torch.no_grad()
    def __call__(self, ids: Sequence[int]) -> torch.Tensor:
        """Return the logits (V) after tokens, those of the call before and one more."""
        tokens, begins = new_tokens(ids, self._window, self._known)
        if begins:
            self._past = self._model.key_values(self._window)
        self._known = len(ids)
        place = self._model.embedding.device
        return self._model.logits(torch.tensor([tokens], device=place), self._past)[0]


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
