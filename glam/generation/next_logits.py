"""The logits of next tokens of sequences that grow, each computed alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch

from glam.generation.work import Work
from glam.model.decoder import Glam
from glam.model.key_values import KeyValues, Places, new_tokens, window_start


class NextLogits:
    """The logits of the tokens after sequences that grow; keys and values are kept.

    Args:
        model: the model, whose window is its sequence length.
        rows: most sequences at a time.
        work: counts tokens and FLOP.
    """

    def __init__(self, model: Glam, rows: int = 1, work: Work | None = None) -> None:
        self._model, self._window, self._rows = model, int(model.shape.seq_len), rows
        self._work = work or Work()
        self._past: list[KeyValues] = []
        self._known = [0] * rows

    @torch.no_grad()
    def __call__(
        self, sequences: Sequence[Sequence[int]], rows: Sequence[int] | None = None
    ) -> torch.Tensor:
        """Return the logits (R, V) after each sequence.

        Only its newest token is computed where the others are those of the call before.

        Args:
            sequences: all tokens of each.
            rows: which row keeps each sequence; by default the first ones, in order.
        """
        rows = range(len(sequences)) if rows is None else rows
        passes: dict[int, list[tuple[int, Sequence[int]]]] = defaultdict(list)  # by tokens; 0: next
        for place, (row, ids) in enumerate(zip(rows, sequences, strict=True)):
            tokens, begins = new_tokens(ids, self._window, self._known[row])
            if self._known[row] and len(ids) == self._known[row] + 1:
                self._work.add_token(self._model.shape, self._in_window(len(ids)), len(tokens))
            else:
                self._work.add_sequences(self._model.shape, [len(tokens)], len(tokens), 1)
            passes[len(tokens) if begins else 0].append((place, tokens))
        logits: dict[int, torch.Tensor] = {}
        for length, parts in passes.items():
            places = [place for place, _ in parts]
            computed = self._compute([rows[p] for p in places], [t for _, t in parts], length > 0)
            logits.update(zip(places, computed, strict=True))
        for row, ids in zip(rows, sequences, strict=True):
            self._known[row] = len(ids)
        return torch.stack([logits[place] for place in range(len(sequences))])

    def end(self, row: int) -> None:
        """Let the next sequence of this row begin anew."""
        self._known[row] = 0

    def keep(self, rows: Sequence[int]) -> None:
        """Keep only the sequences of these rows, which are the first ones from now on."""
        for store in self._past:
            store.keep(torch.tensor(rows, device=self._model.embedding.device))
        self._known, self._rows = [self._known[row] for row in rows], len(rows)

    def _compute(
        self, rows: Sequence[int], tokens: Sequence[Sequence[int]], begins: bool
    ) -> torch.Tensor:
        """Return the logits (r, V) after new tokens (r, n) of these rows."""
        place = self._model.embedding.device
        if not self._past:
            self._past = self._model.key_values(self._rows, self._window)
        known = [0 if begins else self._in_window(self._known[row]) for row in rows]
        at = Places(rows, known, list(rows) == list(range(self._rows)), place)
        for store in self._past:
            store.places = at
        return self._model.logits(torch.tensor(tokens, device=place), self._past)

    def _in_window(self, tokens: int) -> int:
        """How many of so many tokens stand in the window over them."""
        return tokens - window_start(tokens, self._window)
