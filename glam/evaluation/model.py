"""Our model as lm-eval's: log-likelihoods of options in batches, and greedy generation.

A sequence of a batch is padded at its end. No position attends to a later one, and the dispatch is
dropless, so that padding changes no other token's logits. Logits are computed only where an option
stands, and the prompt that options share, once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from lm_eval.api.model import TemplateLM
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from energy.errors import InputError
from glam.data.tokenizer import END, Tokenizer
from glam.evaluation.option_rows import OptionRow, in_batches, option_rows
from glam.generation.growing import Text, grow
from glam.generation.work import Work
from glam.model.branches import Branches
from glam.model.decoder import Glam

BATCH_TOKENS = {"cpu": 1024, "cuda": 65536}
"""Tokens of a batch, with padding; on a CPU the fastest of those that were tried."""

LOGIT_ROWS = 1024
"""Positions whose logits over the vocabulary are computed at once."""

Pair = tuple[tuple[str, str], list[int], list[int]]
"""Context and continuation as text, and their tokens."""


class GlamLM(TemplateLM):  # type: ignore[misc]
    """A model and its tokenizer, as lm-eval calls them.

    Args:
        model: computes in float32, dropless, on its device.
        tokenizer: of the run that the model is from.
        batch_tokens: tokens of a batch, with padding; by default as the device is used best.

    Attributes:
        work: tokens and FLOP so far.
        around: opens a context for a pass of generation, by its phase: prefill or decode.
    """

    def __init__(self, model: Glam, tokenizer: Tokenizer, batch_tokens: int | None = None) -> None:
        super().__init__()
        self.model, self.tokenizer = model.eval(), tokenizer
        place = model.embedding.device
        self._device = place
        self._batch_tokens = batch_tokens or BATCH_TOKENS[place.type]
        self._window = int(model.shape.seq_len)
        self.work = Work()
        self.around: Callable[[str], AbstractContextManager[object]] = nullcontext

    @property
    def eot_token_id(self) -> int:
        """The token between documents, which an empty context is replaced by."""
        return END

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, **_: Any
    ) -> list[int]:
        """Return the tokens of a text; none is added at its ends."""
        return self.tokenizer.encode(string)

    def _encode_pair(self, context: str, continuation: str) -> tuple[list[int], list[int]]:
        """Return the tokens of both; those of a continuation are what both together have more.

        It may have none, where its letters join the last token before it, as "port" does after
        "im". lm-eval 0.4.13 has no answer to that; here it is then encoded by itself.
        """
        before, after = super()._encode_pair(context, continuation)
        return before, after or self.tok_encode(continuation)

    def loglikelihood(self, requests: Any, disable_tqdm: bool = True) -> list[tuple[float, bool]]:
        """Return nats of each continuation after its context, and whether it is the likeliest."""
        pairs: list[tuple[float, bool]] = super().loglikelihood(requests, disable_tqdm=True)
        return pairs

    def loglikelihood_rolling(self, requests: Any, disable_tqdm: bool = True) -> list[float]:
        """Return nats of whole texts, each token once, in windows of the model."""
        return [
            sum(
                score
                for score, _ in self._scores(
                    [make_disjoint_window(window) for window in self._windows(request.args[0])]
                )
            )
            for request in requests
        ]

    def generate_until(self, requests: Any, disable_tqdm: bool = True) -> list[str]:
        """Return what each prompt is continued with, the likeliest token at every step.

        Raises:
            InputError: the task wants to sample.
        """
        texts = [self._text(*request.args[:2]) for request in requests]
        batch = max(1, self._batch_tokens // self._window)
        for _ in grow(self.model, texts, batch, work=self.work, around=self.around):
            pass
        return [text.answer for text in texts]

    def _windows(self, text: str) -> Iterator[tuple[list[int], list[int]]]:
        tokens = self.tok_encode(text)
        yield from get_rolling_token_windows(tokens, END, self._window, 1)

    def _loglikelihood_tokens(self, requests: Sequence[Pair], **_: Any) -> list[tuple[float, bool]]:
        over: dict[str, int] = {}  # of each prompt, which all its options share
        for (prompt, _option), context, continuation in requests:
            longer = len(context) + len(continuation) - 1 - self._window
            over[prompt] = max(longer, over.get(prompt, 0))
        for longer in over.values():
            self._count_cut(longer)
        return self._scores([(context, continuation) for _, context, continuation in requests])

    def _count_cut(self, over: int) -> None:
        """Count a prompt that is so many tokens longer than the window."""
        if over > 0:
            self.work.cut += 1
            self.work.cut_tokens += over

    @torch.no_grad()
    def _scores(self, pairs: Sequence[tuple[list[int], list[int]]]) -> list[tuple[float, bool]]:
        """Return log-likelihood and greediness of continuations, in order.

        A continuation that is longer than the window is scored in pieces, each after the tokens
        before it.
        """
        scores, greedy = [0.0] * len(pairs), [True] * len(pairs)
        for batch in in_batches(option_rows(pairs, self._window), self._batch_tokens):
            wanted = [target.request for row in batch for target in row.targets]
            for number, score, likeliest in zip(wanted, *self._batch_scores(batch), strict=True):
                scores[number] += score
                greedy[number] &= likeliest
        return list(zip(scores, greedy, strict=True))

    def _batch_scores(self, batch: Sequence[OptionRow]) -> tuple[list[float], list[bool]]:
        """Return of each target its log-probability, and whether it is the likeliest token."""
        width, shape = len(batch[0].tokens), self.model.shape
        lengths = [row.lengths for row in batch]
        tokens = torch.tensor([[*row.tokens, *[END] * (width - len(row.tokens))] for row in batch])
        branches = (
            Branches(lengths, width, self._device)
            if any(len(row.branches) > 1 for row in batch)
            else None
        )
        states, _ = self.model.hidden_states(tokens.to(self._device), branches=branches)
        wanted = [
            (number, target.place, target.token)
            for number, row in enumerate(batch)
            for target in row.targets
        ]
        scores, greedy = [], []
        for row, place, target in (
            part.T for part in torch.tensor(wanted, device=self._device).split(LOGIT_ROWS)
        ):
            logits = states[row, place] @ self.model.embedding.T
            scores += logits.log_softmax(-1).gather(1, target[:, None])[:, 0].tolist()
            greedy += (logits.argmax(-1) == target).tolist()
        self.work.add_rows(shape, lengths, width, len(wanted))
        return scores, greedy

    def _text(self, context: str, settings: dict[str, Any]) -> _Greedy:
        """Return the beginning of the greedy continuation of one prompt."""
        if settings.get("do_sample"):
            raise InputError("expected a task with greedy generation", "do_sample: true")
        room = int(settings.get("max_gen_toks", 32))
        prompt = self.tok_encode(context) or [END]
        keep = max(1, self._window - room)
        self._count_cut(len(prompt) - keep)
        stops = [stop for stop in settings.get("until", ()) if stop]
        return _Greedy(list(prompt[-keep:]), room, stops, self.tokenizer)


class _Greedy(Text):
    """The likeliest continuation of a prompt, up to a stop text or the end."""

    def __init__(self, ids: list[int], room: int, stops: list[str], tokenizer: Tokenizer) -> None:
        super().__init__(ids)
        self._begin, self._room, self._stops = len(ids), room, stops
        self._tokenizer = tokenizer

    def has_ended(self) -> bool:
        is_full = len(self.ids) - self._begin == self._room
        return is_full or self.ids[-1] == END or self._stop() is not None

    @property
    def answer(self) -> str:
        """The text so far, without the stop text."""
        return self._text()[: self._stop()]

    def _text(self) -> str:
        return self._tokenizer.decode(self.ids[self._begin :])

    def _stop(self) -> int | None:
        """Where the first of the stop texts begins; None if there is none yet."""
        text = self._text()
        return min((text.find(stop) for stop in self._stops if stop in text), default=None)
