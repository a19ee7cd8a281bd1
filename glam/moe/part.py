"""The part of a batch that a process routes: the whole of it, unless several share it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Part:
    """One of several equal parts of a micro-batch, each on a process of its own.

    Attributes:
        index: number of this part, in the order of the sequences.
        parts: how many there are.
        mean_over_parts: averages a tensor over all parts; None for loads that are compared within
            each part alone.
    """

    index: int = 0
    parts: int = 1
    mean_over_parts: Callable[[Tensor], Tensor] | None = None

    def uniform(self, size: Sequence[int], generator: torch.Generator) -> Tensor:
        """Draw uniform numbers from 0 to 1, from which second experts follow.

        Those of all parts are drawn, so that a token has the same number however many parts.
        """
        tokens, *rest = size
        whole = (tokens * self.parts, *rest)
        draws = torch.rand(whole, generator=generator, device=generator.device)
        return draws.narrow(0, self.index * tokens, tokens)

    def load(self, load: Tensor) -> Tensor:
        """Return the loads that the load-balancing loss compares, for those of this part."""
        return load if self.mean_over_parts is None else self.mean_over_parts(load)


WHOLE = Part()
"""A batch that one process computes."""
