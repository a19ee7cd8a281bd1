"""How tokens spread over experts, and how much fuller than the mean the busiest chip is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from energy.errors import InputError
from energy.shape import Number, plain


@dataclass(frozen=True, eq=False)
class ExpertLoad:
    """Shares of the assignments of tokens that each expert gets.

    Attributes:
        shares: (layers and steps, experts); each row sums to 1.
        source: where they come from.
    """

    shares: tuple[tuple[float, ...], ...]
    source: str

    @classmethod
    def of(cls, shares: Any, source: str = "the scenario") -> Self:
        """Shares, or counts, of one layer or of many; rows are scaled to sum to 1.

        Raises:
            InputError: they are not rows of equally many non-negative numbers with a sum above 0.
        """
        try:
            table = np.atleast_2d(np.asarray(shares, float))
        except (TypeError, ValueError):
            table = np.empty((0, 0))
        sums = table.sum(-1) if table.ndim == 2 and table.size else np.zeros(1)
        if not (np.all(np.isfinite(table)) and np.all(table >= 0) and np.all(sums > 0)):
            raise InputError(
                f"expected expert_load of {source} to be rows with one share per expert",
                str(shares)[:60],
                "[0.3, 0.2, 0.5], or one row per layer",
            )
        rows = (table / sums[:, None]).tolist()
        return cls(tuple(tuple(row) for row in rows), source)

    @cached_property
    def table(self) -> NDArray[np.float64]:
        """The shares as an array."""
        return np.array(self.shares)

    def busiest_over_mean(self, ep: Number) -> Number:
        """Rows of the busiest of `ep` chips over those of the mean chip, averaged over all layers.

        A chip has a block of E/ep experts. Every layer waits for its busiest chip, so the mean is
        taken after the maximum: 0.4, 0.1, 0.4, 0.1 on 2 chips is 1, on 4 is 1.6.

        Raises:
            InputError: ep does not divide the experts of the load.
        """
        degrees, where = np.unique(np.asarray(ep, int), return_inverse=True)
        ratios = np.array([self._busiest_over_mean(int(degree)) for degree in degrees])
        return plain(ratios[where].reshape(np.shape(ep)))

    def _busiest_over_mean(self, chips: int) -> float:
        layers, experts = self.table.shape
        if experts % chips:
            raise InputError(
                "expected expert_load of a multiple of ep experts",
                f"{experts} experts of {self.source}, ep {chips}",
                "use a load of as many experts as the model has",
            )
        chip_shares = self.table.reshape(layers, chips, -1).sum(-1)
        return float(chip_shares.max(-1).mean() * chips)
