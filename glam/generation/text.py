"""Text generation from a checkpoint: temperature and nucleus sampling (arXiv:1904.09751)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from energy import Tracker
from glam.data.tokenizer import END, StreamDecoder, Tokenizer
from glam.generation.growing import Text, grow
from glam.generation.loading import Trained, load_trained
from glam.generation.record import save_record
from glam.generation.work import Work


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
    """Continue a prompt with a trained model.

    Args:
        run: folder of a run of `glam train`, or a checkpoint in it.
        prompt: text to continue.
        tokens: maximum number of tokens to add; generation ends earlier at the end of a document.
        temperature: sampling temperature; 0 always takes the most likely token.
        top_p: tokens are drawn from the smallest set with at least this probability.
        seed: seed of the sampling.
        device: auto, cpu or cuda.
        best: use the checkpoint with the lowest validation loss instead of the newest one.
        meter: opened once the model is loaded; its windows and phases are prefill, which reads the
            prompt and gives the first token, and decode, a window for each other token. Its record
            has FLOP, and seconds and joules of a token.

    Yields:
        The text of each new token, as soon as its last character is complete.

    Raises:
        InputError: the folder has no usable checkpoint or tokenizer, or with `best` no checkpoint
            that was evaluated.
    """
    trained = load_trained(Path(run), device, best=best)
    sampling = Sampling(tokens, temperature, top_p, seed)
    decoder = StreamDecoder(trained.tokenizer)
    for texts in _passes(trained, [prompt], 1, sampling, meter):
        token = texts[0].ids[-1]
        if token != END and (piece := decoder.add(token)):
            yield piece
    if rest := decoder.rest():
        yield rest


@dataclass(frozen=True)
class Answer:
    """What a prompt was continued with.

    Attributes:
        number: of the prompt, from 0.
        prompt: its text.
        text: that was generated.
        prompt_tokens: that were read.
        tokens: that were generated, with that of the end.
    """

    number: int
    prompt: str
    text: str
    prompt_tokens: int
    tokens: int


def generate_all(
    run: str | Path,
    prompts: Sequence[str],
    *,
    batch: int = 8,
    tokens: int = 100,
    temperature: float = 0.8,
    top_p: float = 0.95,
    seed: int = 0,
    device: str = "auto",
    best: bool = False,
    meter: Tracker | None = None,
) -> Iterator[Answer]:
    """Continue many prompts with a trained model; yield each answer when it ends.

    The next prompt takes the place of one that has ended. Prompt n is sampled with the seed
    `seed` + n, so that its answer is the same at every batch, but for the rounding of sums.

    Args:
        run: folder of a run of `glam train`, or a checkpoint in it.
        prompts: texts to continue.
        batch: most prompts at a time.
        tokens: maximum number of tokens to add to each.
        temperature: sampling temperature; 0 always takes the most likely token.
        top_p: tokens are drawn from the smallest set with at least this probability.
        seed: seed of the sampling of the first.
        device: auto, cpu or cuda.
        best: use the checkpoint with the lowest validation loss instead of the newest one.
        meter: opened once the model is loaded; its windows and phases are prefill, which reads the
            prompts that begin and gives their first tokens, and decode, which gives a token to each
            of a batch. Its record has FLOP, and seconds and joules of a token.

    Raises:
        InputError: as of `generate`.
    """
    trained = load_trained(Path(run), device, best=best)
    sampling = Sampling(tokens, temperature, top_p, seed)
    for texts in _passes(trained, prompts, batch, sampling, meter):
        for text in texts:
            if text.has_ended():
                yield text.answer(trained.tokenizer)


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn: most of them, temperature, probability of the nucleus, and seed."""

    tokens: int
    temperature: float
    top_p: float
    seed: int


class _Sampled(Text):
    """A text whose tokens are drawn."""

    def __init__(self, number: int, prompt: str, ids: list[int], sampling: Sampling) -> None:
        super().__init__(ids)
        self._number, self._prompt, self._begin, self._sampling = number, prompt, len(ids), sampling
        self._generator = torch.Generator().manual_seed(sampling.seed + number)

    def choose(self, logits: Tensor) -> int:
        if self._sampling.temperature == 0:
            return super().choose(logits)
        scaled = logits.cpu() / self._sampling.temperature
        probabilities, order = scaled.softmax(-1).sort(descending=True)
        # Keep each token whose more likely ones sum to less than top_p; the first is always kept.
        probabilities[probabilities.cumsum(-1) - probabilities >= self._sampling.top_p] = 0
        return int(order[torch.multinomial(probabilities, 1, generator=self._generator)])

    def has_ended(self) -> bool:
        return self.ids[-1] == END or len(self.ids) == self._begin + self._sampling.tokens

    def answer(self, tokenizer: Tokenizer) -> Answer:
        """What the prompt was continued with."""
        new = self.ids[self._begin :]
        text = tokenizer.decode([token for token in new if token != END])
        return Answer(self._number, self._prompt, text, self._begin, len(new))


def _passes(
    trained: Trained,
    prompts: Sequence[str],
    batch: int,
    sampling: Sampling,
    meter: Tracker | None,
) -> Iterator[list[_Sampled]]:
    """Yield the texts that have a new token, after every pass; meter them."""
    texts = [
        _Sampled(number, prompt, trained.tokenizer.encode(prompt) or [END], sampling)
        for number, prompt in enumerate(prompts)
    ]
    work = Work()
    if meter is None:
        yield from grow(trained.model, texts, batch, work=work)
        return
    read = sum(len(text.ids) for text in texts)
    with ExitStack() as stack:
        stack.callback(save_record, meter, trained, work, prompts=len(texts), prompt_tokens=read)
        stack.enter_context(meter)
        meter.mark("prompt_tokens", count=read)
        for grown in grow(trained.model, texts, batch, work=work, around=partial(_window, meter)):
            meter.add_tokens(len(grown))
            yield grown


def _window(meter: Tracker, phase: str) -> AbstractContextManager[object]:
    return meter.window(phase, phase=phase)
