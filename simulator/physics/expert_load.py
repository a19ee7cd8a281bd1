"""How tokens spread over experts, and how much fuller than the mean the busiest chip is.

The shares come from a scenario (a distribution) or from a trainer's own log, which writes those of
every layer and step as `expert_load`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from energy.errors import InputError
from energy.shape import Number, plain

LOG = "metrics.jsonl"
"""What a run of the trainer calls its log."""


@dataclass(frozen=True, eq=False)
class ExpertLoad:
    """Shares of the assignments that went to each expert.

    Attributes:
        shares: (layers and steps, experts); each row sums to 1.
        source: where they come from.
    """

    shares: tuple[tuple[float, ...], ...]
    source: str

    @classmethod
    def of(cls, given: Any, source: str = "the scenario") -> Self:
        """Shares, or counts, of one layer or of many.

        Raises:
            InputError: they are not rows of as many numbers of 0 or more, one of them above 0.
        """
        try:
            table = np.atleast_2d(np.asarray(given, float))
        except (TypeError, ValueError):
            table = np.empty((0, 0))
        sums = table.sum(-1) if table.ndim == 2 and table.size else np.zeros(1)
        if not (np.all(np.isfinite(table)) and np.all(table >= 0) and np.all(sums > 0)):
            raise InputError(
                f"expected expert_load of {source} to be rows of one share an expert",
                str(given)[:60],
                "[0.3, 0.2, 0.5], or a row a layer",
            )
        rows = (table / sums[:, None]).tolist()
        return cls(tuple(tuple(row) for row in rows), source)

    @classmethod
    def read(cls, path: Path) -> Self:
        """The loads of a trainer's log, or of the folder of its run; every layer of every step.

        Raises:
            InputError: there is no such log, or no line of it tells a load.
        """
        log = path / LOG if path.is_dir() else path
        rows: list[list[float]] = []
        try:
            with log.open(encoding="utf-8") as lines:
                for line in lines:
                    try:
                        rows += json.loads(line).get("expert_load", [])
                    except (json.JSONDecodeError, AttributeError):
                        continue  # a torn last line of a run that was killed
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                "expected the log of a trainer in expert_load",
                str(path),
                "name a run folder of glam train, or its metrics.jsonl",
            ) from error
        if not rows:
            raise InputError(
                f"expected lines with expert_load in {log}", "none", "a log of a mixture of experts"
            )
        return cls.of(rows, str(log))

    @cached_property
    def table(self) -> NDArray[np.float64]:
        """The shares as an array."""
        return np.array(self.shares)

    def busiest_over_mean(self, ep: Number) -> Number:
        """Rows of the busiest of e chips over those of the mean one, the mean of all layers.

        Experts lie in blocks of E/e. Every layer waits for its busiest chip, so the mean is taken
        after the maximum: 0.4, 0.1, 0.4, 0.1 on 2 chips is 1, on 4 is 1.6.

        Raises:
            InputError: e does not divide the experts of the load.
        """
        degrees, where = np.unique(np.asarray(ep, int), return_inverse=True)
        found = np.array([self._busiest(int(degree)) for degree in degrees])
        return plain(found[where].reshape(np.shape(ep)))

    def _busiest(self, chips: int) -> float:
        layers, experts = self.table.shape
        if experts % chips:
            raise InputError(
                "expected expert_load of a multiple of ep experts",
                f"{experts} experts of {self.source}, ep {chips}",
                "the load of a model with as many experts",
            )
        held = self.table.reshape(layers, chips, -1).sum(-1)
        return float(held.max(-1).mean() * chips)
