"""Kilograms of CO2e of making a chip, by method.

Makers' sheets and bottom-up models differ three- to fivefold for the same board, so a comparison
uses one method: bottom-up, which has all boards of NVIDIA's last three generations, where there is
one. The band holds every method.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from energy.facts.chip_rows import Chip
from energy.facts.rows import rows
from energy.quantity import Origin, Quantity

METHODS = ("bottom-up", "maker", "assumption", "published")
"""In the order in which they are preferred."""


def factor_of(method: str) -> str:
    """How the factors of a record call the kilograms of a method: embodied_bottom_up_kg."""
    return f"embodied_{method.replace('-', '_')}_kg"


@dataclass(frozen=True)
class Embodied:
    """What one method says of one chip.

    Attributes:
        chip: id in the catalog.
        method: one of `METHODS`.
        kg: kilograms of CO2e.
        scope: what they include.
        source: citation, with its year.
    """

    chip: str
    method: str
    kg: float
    scope: str
    source: str

    def __str__(self) -> str:
        """'575 kg (bottom-up: BoaviztAPI 2.5.0, 2026)'."""
        return f"{self.kg:g} kg ({self.method}: {self.source})"


@cache
def _table() -> tuple[Embodied, ...]:
    def read(row: dict[str, str]) -> Embodied:
        source = f"{row['source']}, {row['year']}"
        return Embodied(row["chip"], row["method"], float(row["kg"]), row["scope"], source)

    return tuple(rows("embodied.csv", read))


def methods_of(chip: Chip) -> tuple[Embodied, ...]:
    """What is published of making a chip, the preferred method first; none if nothing is."""
    own = [row for row in _table() if row.chip == chip.id]
    if not own and chip.embodied_kg is not None:
        scope = chip.embodied_scope or "scope not stated"
        own = [Embodied(chip.id, "published", chip.embodied_kg, scope, scope)]
    return tuple(sorted(own, key=lambda row: METHODS.index(row.method)))


def kilograms(methods: tuple[Embodied, ...]) -> Quantity:
    """Kilograms a chip by the preferred method, with a band that holds all of them.

    H100: 575 (164 to 575) kg.
    """
    first = methods[0]
    return Quantity(
        value=first.kg,
        low=min(row.kg for row in methods),
        high=max(row.kg for row in methods),
        unit="kg",
        origin=Origin.ASSUMED,
        source="; ".join(map(str, methods)),
    )
