"""The constants of serving with their bands, and the file that they are read from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from energy.errors import InputError
from energy.files import write_text_atomic
from energy.inputs import read_json
from simulator.published.shipped import shipped
from simulator.serving.constants import ServingConstants

FILE = "serving_constants.json"

SCHEMA = "serving-1"

FIGURES = ("j_per_token", "itl_s")
"""Figures with a band: what a prediction states and a row measures."""

Bands = dict[str, dict[str, tuple[float, float]]]
"""Ends of 80 % bands of ln(measured / predicted), by kind and figure."""


@dataclass(frozen=True)
class Fitted:
    """Constants and bands.

    Attributes:
        constants: of the physics.
        bands: ln of the ends by kind and figure, for a family that no row is of.
        known_bands: the same for a family that rows are of: its other models, or chips.
        families: that the constants were fitted to.
        rows: as many.
    """

    constants: ServingConstants
    bands: Bands
    known_bands: Bands
    families: tuple[str, ...]
    rows: int

    def band(self, kind: str, figure: str, family: str = "") -> tuple[float, float]:
        """Ends of the band of a figure, as logarithms.

        Args:
            kind: of the model.
            figure: of `FIGURES`.
            family: of the model; empty for one that no row is of.
        """
        return (self.known_bands if family in self.families else self.bands)[kind][figure]

    def relative(self, kind: str, figure: str, family: str = "") -> tuple[float, float]:
        """The band of a figure as relative deviations: (-0.3, 0.4) is -30 to +40 %."""
        low, high = self.band(kind, figure, family)
        return float(np.expm1(low)), float(np.expm1(high))

    def save(self, path: Path) -> None:
        """Write the file of constants."""
        write_text_atomic(path, json.dumps(self.as_dict(), indent=1) + "\n")

    def as_dict(self) -> dict[str, Any]:
        """The content of the file of constants."""
        return {
            "schema": SCHEMA,
            "rows": self.rows,
            "families": list(self.families),
            "constants": {
                name: float(f"{value:.5g}") for name, value in asdict(self.constants).items()
            },
            "bands": _rounded(self.bands),
            "known_bands": _rounded(self.known_bands),
        }


def _rounded(bands: Bands) -> dict[str, dict[str, list[float]]]:
    return {
        kind: {name: [round(end, 4) for end in ends] for name, ends in figures.items()}
        for kind, figures in bands.items()
    }


def _read_bands(table: dict[str, dict[str, list[float]]]) -> Bands:
    return {
        kind: {name: (float(ends[0]), float(ends[1])) for name, ends in figures.items()}
        for kind, figures in table.items()
    }


def load(path: Path) -> Fitted:
    """Read a file of constants.

    Raises:
        InputError: there is no such file, or it is not one of constants of serving.
    """
    table = read_json(path, "the constants of serving")
    try:
        if table["schema"] != SCHEMA:
            raise KeyError("schema")
        return Fitted(
            ServingConstants.from_dict(table["constants"]),
            _read_bands(table["bands"]),
            _read_bands(table["known_bands"]),
            tuple(map(str, table["families"])),
            int(table["rows"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise InputError(
            "expected the constants of serving",
            str(path),
            "name a file that simulator calibrate --serving FILE.csv has written",
        ) from error


@cache
def shipped_fit() -> Fitted:
    """The constants of the package."""
    return load(shipped(FILE))
