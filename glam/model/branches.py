"""Sequences that begin alike, in one row: what they share is computed once.

Four options of a question are four sequences. Their row is the question and then the options, one
after the other; a token of an option attends to the question and to its own option, at the
distances of its own sequence, so that its state is that of the sequence alone.
Legend: B rows, S positions, h heads.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad


class Branches:
    """Where the tokens of rows with branches stand; the same in all layers.

    Args:
        rows: of each, tokens of the stem and of each of its branches.
        width: tokens of a row with its padding, which attends to itself and the stem.
        device: of the model.

    Attributes:
        depths: how many tokens of its sequence are before each token (B, S).
        longest: tokens of the longest sequence.
    """

    def __init__(
        self, rows: Sequence[tuple[int, Sequence[int]]], width: int, device: torch.device
    ) -> None:
        depths = torch.zeros(len(rows), width, dtype=torch.long)
        branch = torch.full((len(rows), width), -1)
        for row, (stem, lengths) in enumerate(rows):
            depths[row, :stem], branch[row, :stem] = torch.arange(stem), 0
            begin = stem
            for number, length in enumerate(lengths, start=1):
                end = begin + length
                depths[row, begin:end] = torch.arange(stem, stem + length)
                branch[row, begin:end] = number
                begin = end
        self.depths = depths.to(device)
        self.longest = int(depths.max()) + 1
        distances = depths[:, :, None] - depths[:, None, :]
        is_seen = (branch[:, None, :] == 0) | (branch[:, None, :] == branch[:, :, None])
        is_seen &= distances >= 0
        self._distances = distances.masked_fill_(~is_seen, self.longest).to(device)

    def bias(self, by_distance: Tensor | None) -> Tensor:
        """Return the bias of each query and key (B, h or 1, S, S).

        Minus infinity where the query must not look.

        Args:
            by_distance: bias of each head (h, at least `longest`); None without one.
        """
        if by_distance is None:
            by_distance = torch.zeros(1, self.longest, device=self._distances.device)
        line = pad(by_distance[:, : self.longest], (0, 1), value=float("-inf"))
        # Several times faster on a CPU than line[:, distances].
        picked = line.index_select(1, self._distances.flatten())
        return picked.view(-1, *self._distances.shape).transpose(0, 1)
