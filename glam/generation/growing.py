"""Texts that grow together: continuous batching.

The next text takes the place of one that has ended, so that a pass has as many rows as there are
texts for (Orca: Yu et al., OSDI 2022).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

from torch import Tensor

from glam.generation.next_logits import NextLogits
from glam.generation.work import Work
from glam.model.decoder import Glam


class Text(ABC):
    """A text that grows by the token.

    Args:
        ids: tokens of its prompt.

    Attributes:
        ids: all tokens so far.
    """

    def __init__(self, ids: list[int]) -> None:
        self.ids = ids

    def choose(self, logits: Tensor) -> int:
        """Return the next token from its logits (V): the likeliest, unless a text draws it."""
        return int(logits.argmax())

    @abstractmethod
    def has_ended(self) -> bool:
        """Whether the newest token is the last."""


T = TypeVar("T", bound=Text)


def grow(
    model: Glam,
    texts: Iterable[T],
    batch: int,
    *,
    work: Work | None = None,
    around: Callable[[str], AbstractContextManager[object]] = nullcontext,
) -> Iterator[list[T]]:
    """Continue texts until each has ended; yield those that have a new token, after every pass.

    Args:
        model: computes the logits.
        texts: in the order in which they begin.
        batch: most texts at a time.
        work: counts tokens and FLOP.
        around: opens a context for a pass: prefill, which reads the prompts of texts that begin and
            gives their first tokens, or decode, which gives a token to each text of the batch.
    """
    waiting = deque(texts)
    rows: list[T | None] = [None] * min(batch, len(waiting))
    after = NextLogits(model, len(rows), work)
    while waiting or any(rows):
        free = [row for row, text in enumerate(rows) if text is None]
        for row in free:
            rows[row] = waiting.popleft() if waiting else None
        joining = [row for row in free if rows[row]]
        if None in rows:
            kept = [row for row, text in enumerate(rows) if text]
            after.keep(kept)
            rows, joining = [rows[row] for row in kept], [kept.index(row) for row in joining]
        places = joining or list(range(len(rows)))
        chosen = [text for place in places if (text := rows[place])]
        with around("prefill" if joining else "decode"):
            for text, line in zip(chosen, after([t.ids for t in chosen], places), strict=True):
                text.ids.append(text.choose(line))
        for place, text in zip(places, chosen, strict=True):
            if text.has_ended():
                rows[place] = None
                after.end(place)
        yield chosen
