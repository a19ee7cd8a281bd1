"""Keys and values of earlier tokens, so that the next one is computed alone.

The logits are those of a pass over the whole window. A token's state depends on all tokens before
it in its window, so the window cannot move by one token without computing all of them anew: it
moves by an eighth of its length, and is then computed once. Sequences of a batch may have any
lengths; each has a row of its own, which the next one may take over.
Legend: R rows, S positions, h heads, d head width.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

STEPS_PER_WINDOW = 8
"""A window that is full moves by its length over this, and keeps at least 7/8 of its tokens."""


class Places:
    """Where the tokens of a pass stand; the same in all layers.

    Args:
        rows: of the sequences that are computed.
        known: tokens of each of them that were computed before: none of any, or some of all, to
            which the pass adds one.
        all_rows: whether these are all rows, in their order.
        device: of the model.

    Attributes:
        begins: whether the pass begins its sequences.
        are_even: whether all have as many tokens.
        longest: tokens of the longest sequence, with the one that is added.
    """

    def __init__(
        self, rows: Sequence[int], known: Sequence[int], all_rows: bool, device: torch.device
    ) -> None:
        self._rows, self._known, self._device = rows, known, device
        self.begins, self.are_even = not any(known), len(set(known)) == 1
        self.longest, self.all_rows = max(known) + 1, all_rows

    @cached_property
    def rows(self) -> Tensor:
        """The rows (r)."""
        return torch.tensor(self._rows, device=self._device)

    @cached_property
    def known(self) -> Tensor:
        """How many tokens of each row were computed before, which is where the next one stands."""
        return torch.tensor(self._known, device=self._device)

    @cached_property
    def distances(self) -> Tensor:
        """How far each position is before the newest token of its row (r, longest).

        Below 0 where the row has no token yet.
        """
        return self.known[:, None] - torch.arange(self.longest, device=self._device)


class KeyValues:
    """Keys and values of one layer for the tokens of several sequences.

    Args:
        rows: sequences.
        heads: attention heads.
        positions: most tokens of a sequence.
        width: of a head.
        bias: bias of each head by distance (h, S), nearest first; None without one.
        device: of the model.

    Attributes:
        places: where the tokens of the pass stand that is computed; set before each pass.
    """

    places: Places

    def __init__(
        self,
        rows: int,
        heads: int,
        positions: int,
        width: int,
        bias: Tensor | None,
        device: torch.device,
    ) -> None:
        self._keys, self._values = torch.zeros(2, rows, heads, positions, width, device=device)
        self._bias = None if bias is None else bias.flip(1)

    def begin(self, keys: Tensor, values: Tensor) -> None:
        """Keep the keys and values (r, h, n, d) of sequences that begin in the rows of the pass."""
        for kept, new in ((self._keys, keys), (self._values, values)):
            kept[self.places.rows, :, : new.shape[2]] = new

    def append(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Keep those (r, h, 1, d) of one more token a row; return (r, h, longest, d) of all."""
        at = self.places
        if at.are_even and at.all_rows:
            self._keys.narrow(2, at.longest - 1, 1).copy_(keys)
            self._values.narrow(2, at.longest - 1, 1).copy_(values)
        else:
            self._keys[at.rows, :, at.known] = keys[:, :, 0]
            self._values[at.rows, :, at.known] = values[:, :, 0]
        # Rows that are picked would be copied.
        rows = slice(None) if at.all_rows else at.rows
        return self._keys[rows, :, : at.longest], self._values[rows, :, : at.longest]

    def newest_bias(self) -> Tensor | None:
        """Return the bias of the newest tokens towards all so far, (r or 1, h or 1, 1, longest).

        Minus infinity where a row has no token; None where there is nothing to add.
        """
        at, bias = self.places, self._bias
        if at.are_even:
            return None if bias is None else bias[None, :, None, -at.longest :]
        distances = at.distances
        future = (distances < 0)[:, None, None]
        if bias is None:
            return torch.zeros(future.shape, device=future.device).masked_fill_(
                future, float("-inf")
            )
        towards = bias[:, bias.shape[1] - 1 - distances.clamp(min=0)].transpose(0, 1)
        return towards[:, :, None].masked_fill(future, float("-inf"))

    def keep(self, rows: Tensor) -> None:
        """Keep only these rows, in this order."""
        self._keys, self._values = self._keys[rows], self._values[rows]


def window_start(tokens: int, window: int) -> int:
    """Return where the window over a sequence of so many tokens begins.

    With a window of 256: 0 up to 256 tokens, 32 for 257 to 288, 64 for 289.
    """
    step = max(1, window // STEPS_PER_WINDOW)
    return max(0, -(-(tokens - window) // step) * step)


def new_tokens(ids: Sequence[int], window: int, known: int) -> tuple[Sequence[int], bool]:
    """Return the tokens to compute, and whether they begin a window, in which none is known.

    Args:
        ids: all tokens so far.
        window: most tokens of a window.
        known: how many of them were there when keys and values were last computed; 0 if never.
    """
    start = window_start(len(ids), window)
    if known == 0 or len(ids) != known + 1 or start != window_start(known, window):
        return ids[start:], True
    return ids[known:], False
