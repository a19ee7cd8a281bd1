"""What a pass of generation takes on a machine that `glam probe` measured.

A pass yields a token of each text of a batch. It reads weights, which stay in the caches or do not
by how many there are, and it starts many small operations, whose time depends on layers alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from energy.errors import InputError

WEIGHTS = ("m", "bytes", "seconds")

LAYERS = ("layers", "mixtures", "batch", "seconds")

OPERATIONS = {"read_weights": WEIGHTS, "answer_layers": LAYERS}
"""Rows of a probe that are of answers, and their numbers."""

MODELS = 3
"""Narrow models: with few layers, with more, and with as many mixtures."""

FIX = "run glam probe of this version and simulator calibrate again"


@dataclass(frozen=True)
class AnswerTimes:
    """Timed rows of answers.

    Attributes:
        weights: (rows of a pass, bytes of all weights, seconds to read them all), a grid.
        layers: (layers, mixtures among them, texts of a batch, seconds of a pass) of narrow models.
    """

    weights: tuple[tuple[float, ...], ...]
    layers: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, weights: Sequence[Sequence[float]], layers: Sequence[Sequence[float]]) -> Self:
        """Check the rows.

        Raises:
            InputError: they are no grid of positive numbers, or fewer than three narrow models.
        """
        own = cls(tuple(map(tuple, weights)), tuple(map(tuple, layers)))
        try:
            own.seconds_per_byte(1, 1e6)
            own.layer_seconds(1)
        except (ValueError, IndexError, KeyError, TypeError, np.linalg.LinAlgError) as error:
            raise InputError("expected the rows of answers of a probe", str(error), FIX) from error
        return own

    @classmethod
    def of_probe(cls, probe: dict[str, Any]) -> Self | None:
        """The rows of a probe; None of one that has none, of a version before.

        Raises:
            InputError: a row lacks a number.
        """
        rows: dict[str, list[list[float]]] = {name: [] for name in OPERATIONS}
        for raw in probe["rows"]:
            if raw["op"] in rows:
                try:
                    rows[raw["op"]].append([float(raw[key]) for key in OPERATIONS[raw["op"]]])
                except (KeyError, TypeError, ValueError) as error:
                    raise InputError(
                        f"expected a whole {raw['op']} row", str(error), "run glam probe again"
                    ) from error
        if not any(rows.values()):
            return None
        return cls.of(rows["read_weights"], rows["answer_layers"])

    def seconds_per_byte(self, rows: float, total: float) -> float:
        """Seconds to read a byte of weights for so many rows, where a pass reads `total` bytes.

        Interpolated in logarithms; beyond the measured sizes, bytes take as long each as at the
        nearest one, and further rows take in proportion.

        Args:
            rows: of a product with the weights.
            total: bytes of all weights of a pass.
        """
        counts, sizes, rates = self._grid()
        at_size = [np.interp(np.log(total), np.log(sizes), np.log(line)) for line in rates]
        value = float(np.exp(np.interp(np.log(max(rows, 1.0)), np.log(counts), at_size)))
        return value * max(1.0, float(rows) / float(counts[-1]))

    def _grid(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Rows (R), bytes (W) and seconds a byte (R, W)."""
        table = np.array(self.weights, float)
        counts, sizes = np.unique(table[:, 0]), np.unique(table[:, 1])
        if len(table) != len(counts) * len(sizes) or not (table > 0).all():
            raise ValueError(f"{len(table)} rows of weights")
        rates = np.empty((len(counts), len(sizes)))
        for rows, size, seconds in table:
            place = np.searchsorted(counts, rows), np.searchsorted(sizes, size)
            rates[place] = seconds / size
        return counts, sizes, rates

    def layer_seconds(self, batch: float) -> tuple[float, float, float]:
        """Fixed seconds of a pass, of a dense layer and of a mixture, at a batch.

        With passes of 2 and 6 dense layers of 1 and 2 ms, and 3 ms where the 6 are mixtures, they
        are 0.5, 0.25 and 0.42 ms.
        """
        table = np.array(self.layers, float)
        batches = np.unique(table[:, 2])
        solved = []
        for size in batches:
            rows = table[table[:, 2] == size]
            if len(rows) != MODELS:
                raise ValueError(f"{len(rows)} narrow models at a batch of {size:g}")
            counts = np.column_stack([np.ones(MODELS), rows[:, 0] - rows[:, 1], rows[:, 1]])
            solved.append(np.maximum(np.linalg.solve(counts, rows[:, 3]), 0.0))
        whole, dense, mixture = (
            float(np.interp(np.log(max(batch, 1.0)), np.log(batches), column))
            for column in np.array(solved).T
        )
        return whole, dense, mixture
