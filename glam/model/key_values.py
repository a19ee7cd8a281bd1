"""Keys and values of earlier tokens, so that the next one is computed alone.

The logits are those of a pass over the whole window. A token's state depends on all tokens before
it in its window, so the window cannot move by one token without computing all of them anew: it
moves by an eighth of its length, and is then computed once.
Legend: S positions, h heads, d head width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

STEPS_PER_WINDOW = 8
"""A window that is full moves by its length over this, and keeps at least 7/8 of its tokens."""


class KeyValues:
    """Keys and values of one layer for the tokens of one sequence.

    Args:
        heads: attention heads.
        positions: most tokens.
        width: of a head.
        bias: bias of each head by distance (h, S), nearest first; None without one.
        device: of the model.
    """

    def __init__(
        self, heads: int, positions: int, width: int, bias: Tensor | None, device: torch.device
    ) -> None:
        self._keys, self._values = torch.zeros(2, heads, positions, width, device=device)
        self._bias = None if bias is None else bias.flip(1)
        self.length = 0

    def append(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Keep the keys and values (h, n, d) of n more tokens; return those of all so far."""
        begin, self.length = self.length, self.length + keys.shape[1]
        self._keys[:, begin : self.length] = keys
        self._values[:, begin : self.length] = values
        return self._keys[:, : self.length], self._values[:, : self.length]

    def newest_bias(self) -> Tensor | None:
        """Return the bias of the newest token towards all so far (h, 1, length), or None."""
        return None if self._bias is None else self._bias[:, None, -self.length :]


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
