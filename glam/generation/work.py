"""What a model computed for answers: tokens and FLOP, from the lengths of its sequences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from energy.flops import forward_flop
from energy.shape import Shape


@dataclass
class Work:
    """Counts of a model since they were last taken.

    Attributes:
        tokens: that the model read or wrote, without padding.
        model_flop: that these need, scores of S x S positions of each sequence.
        executed_flop: those of padding, too.
        cut: prompts whose beginning did not fit into the window.
        cut_tokens: tokens of these beginnings.
    """

    tokens: int = 0
    model_flop: float = 0.0
    executed_flop: float = 0.0
    cut: int = 0
    cut_tokens: int = 0

    def take(self) -> Work:
        """Return the counts so far, and begin again at 0."""
        counts = replace(self)
        self.__init__()  # type: ignore[misc]
        return counts

    def add_sequences(
        self, shape: Shape, lengths: list[int], padded: int, predictions: int
    ) -> None:
        """Count one batch.

        Args:
            shape: of the model.
            lengths: tokens of each sequence.
            padded: tokens that each is computed with.
            predictions: positions whose logits are computed, over all sequences.
        """
        self.add_rows(shape, [(length, ()) for length in lengths], padded, predictions)

    def add_rows(
        self,
        shape: Shape,
        rows: Sequence[tuple[int, Sequence[int]]],
        padded: int,
        predictions: int,
    ) -> None:
        """Count one batch of rows, each several sequences with a common beginning.

        Args:
            shape: of the model.
            rows: of each, tokens of the stem and of each of its branches.
            padded: tokens that each is computed with.
            predictions: positions whose logits are computed, over all rows.
        """
        logits = _logit_flop(shape) * predictions
        self.model_flop += logits
        self.executed_flop += len(rows) * padded * _body_flop(shape, padded) + logits
        for stem, branches in rows:
            self.tokens += stem + sum(branches)
            self.model_flop += stem * _body_flop(shape, stem)
            self.model_flop += sum(n * _body_flop(shape, stem + n) for n in branches if n)

    def add_token(self, shape: Shape, position: int, computed: int = 1) -> None:
        """Count one token.

        Args:
            shape: of the model.
            position: tokens of its sequence with it, whose keys and values are kept.
            computed: tokens of the pass, which are more where the window moved: they are executed
                again, and needed once.
        """
        logits = _logit_flop(shape)
        self.tokens += 1
        self.model_flop += _body_flop(shape, position) + logits
        self.executed_flop += computed * _body_flop(shape, position) + logits


def _body_flop(shape: Shape, length: int) -> float:
    """Forward FLOP of a token in a sequence of so many, without logits."""
    return float(_body_table(shape, max(length, int(shape.seq_len)))[length - 1])


@lru_cache(maxsize=8)
def _body_table(shape: Shape, longest: int) -> Any:
    parts = forward_flop(replace(shape, seq_len=np.arange(1, longest + 1)))
    return sum(np.broadcast_to(count, longest) for name, count in parts.items() if name != "logits")


@lru_cache(maxsize=8)
def _logit_flop(shape: Shape) -> float:
    return float(forward_flop(shape)["logits"])
