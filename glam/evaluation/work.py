"""What a model computed for a task: tokens and FLOP, from the lengths of its sequences."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
        needed = sum(length * count for length, count in _by_length(shape, lengths))
        logits = float(forward_flop(shape)["logits"]) * predictions
        self.tokens += sum(lengths)
        self.model_flop += needed + logits
        self.executed_flop += len(lengths) * padded * _body_flop(shape, padded) + logits

    def add_token(self, shape: Shape, position: int) -> None:
        """Count one token after so many whose keys and values are kept."""
        flop = _body_flop(shape, position) + float(forward_flop(shape)["logits"])
        self.tokens += 1
        self.model_flop += flop
        self.executed_flop += flop


def _by_length(shape: Shape, lengths: list[int]) -> list[tuple[int, float]]:
    return [(length, _body_flop(shape, length)) for length in lengths]


def _body_flop(shape: Shape, length: int) -> float:
    """Forward FLOP of a token in a sequence of so many, without logits."""
    parts = forward_flop(replace(shape, seq_len=np.asarray(length)))
    return float(sum(count for name, count in parts.items() if name != "logits"))
