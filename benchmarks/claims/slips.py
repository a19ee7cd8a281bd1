"""Twelve kinds of slips, planted by a seeded generator in rows of published runs.

Written before the rules of `energy.claims.rules`, which therefore were not made to fit it. A kind
is planted in every row that has the cells it changes, whether or not a reader could notice it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Row = dict[str, str]
Plant = Callable[[Row, random.Random], Row | None]
"""Changes a row; None where the row has no cells for it."""


@dataclass(frozen=True)
class Planted:
    """A row with a slip.

    Attributes:
        kind: of the slip.
        row: the row as changed.
        before: the row as published.
    """

    kind: str
    row: Row
    before: Row


def planted(rows: list[Row], seed: int = 24) -> Iterator[Planted]:
    """Every kind of slip in every row that has the cells for it."""
    for kind, plant in KINDS.items():
        draw = random.Random(f"{seed} {kind}")
        for row in rows:
            changed = plant(dict(row), draw)
            if changed is not None and changed != row:
                yield Planted(kind, changed, row)


def number(row: Row, name: str) -> float | None:
    """The number of a cell; None where it is blank or no number."""
    try:
        return float(row.get(name) or "")
    except ValueError:
        return None


def chip_hours(row: Row) -> float | None:
    """Chip-hours of a row: its cell, or chips times hours."""
    hours, chips = number(row, "wall_hours"), number(row, "n_chip")
    return number(row, "chip_hours") or (hours * chips if hours and chips else None)


def _scaled(row: Row, name: str, factor: float) -> Row | None:
    value = number(row, name)
    if not value:
        return None
    row[name] = f"{value * factor:.6g}"
    return row


def _energy_unit(row: Row, draw: random.Random) -> Row | None:
    """Kilowatt-hours in a column of megawatt-hours, or gigawatt-hours."""
    return _scaled(row, "energy_mwh", draw.choice((1e3, 1e-3)))


def _carbon_unit(row: Row, draw: random.Random) -> Row | None:
    """Kilograms in a column of tonnes, or kilotonnes."""
    return _scaled(row, "carbon_tco2e", draw.choice((1e3, 1e-3)))


def _grid_unit(row: Row, draw: random.Random) -> Row | None:
    """Grams a kWh in a column of kilograms, or pounds a MWh."""
    return _scaled(row, "grid_kgco2e_per_kwh", draw.choice((1e3, 1e3 / 0.45359237)))


def _pue(row: Row, draw: random.Random) -> Row | None:
    """The inverse of a PUE (DCiE), or per cent."""
    value = number(row, "pue")
    if not value or value == 1:
        return None
    row["pue"] = draw.choice((f"{1 / value:.3g}", f"{100 * value:.4g}"))
    return row


def _market_as_location(row: Row, draw: random.Random) -> Row | None:
    """Carbon after contracts beside the factor of the grid."""
    if not number(row, "grid_kgco2e_per_kwh"):
        return None
    return _scaled(row, "carbon_tco2e", draw.uniform(0.0, 0.5))


def _sparse_six_p_d(row: Row, draw: random.Random) -> Row | None:
    """6 P D with the total parameters of a mixture of experts."""
    total, tokens = number(row, "params_total"), number(row, "tokens")
    if row.get("kind") != "moe" or not total or not tokens:
        return None
    row["flop_total_reported"] = f"{6 * total * tokens:.3g}"
    return row


def _chip_as_facility(row: Row, draw: random.Random) -> Row | None:
    """Joules of the chips called those of the facility."""
    hours, watts, pue = chip_hours(row), number(row, "avg_watts_per_chip"), number(row, "pue")
    if not (hours and watts and pue and pue > 1 and number(row, "energy_mwh")):
        return None
    if "facility" not in row["energy_boundary"]:
        return None
    row["energy_mwh"] = f"{hours * watts / 1e6:.4g}"
    return row


TDP_W = {"a100_40gb": 400.0, "a100_80gb": 400.0, "h100_80gb": 700.0, "v100": 300.0, "b200": 1000.0}


def _tdp_as_measured(row: Row, draw: random.Random) -> Row | None:
    """Design power times hours, called measured."""
    hours, tdp = chip_hours(row), TDP_W.get(row.get("chip", ""))
    if not (hours and tdp):
        return None
    row.update(
        energy_mwh=f"{hours * tdp / 1e6:.5g}",
        energy_basis="measured",
        energy_boundary="chips_only",
        avg_watts_per_chip="",
        watts_basis="",
        pue="",
    )
    return row


def _hours(row: Row, draw: random.Random) -> Row | None:
    """Days in a column of hours, or the hours of nodes of eight in one of chips."""
    if number(row, "chip_hours") and draw.random() < 0.5:
        return _scaled(row, "chip_hours", 1 / 8)
    return _scaled(row, "wall_hours", 1 / 24)


def _negative(row: Row, draw: random.Random) -> Row | None:
    """A minus sign."""
    names = [name for name in ("energy_mwh", "carbon_tco2e", "chip_hours") if number(row, name)]
    return _scaled(row, draw.choice(names), -1.0) if names else None


def _flop_exponent(row: Row, draw: random.Random) -> Row | None:
    """A neighboring exponent of the FLOP, or one prefix more."""
    return _scaled(row, "flop_total_reported", draw.choice((10.0, 0.1, 1e3)))


def _count_unit(row: Row, draw: random.Random) -> Row | None:
    """Parameters or tokens in thousands, millions or billions."""
    name = draw.choice(("params_total", "tokens"))
    return _scaled(row, name, draw.choice((1e-3, 1e-6, 1e-9)))


KINDS: dict[str, Plant] = {
    "energy in another unit": _energy_unit,
    "carbon in another unit": _carbon_unit,
    "grid factor in another unit": _grid_unit,
    "PUE inverted or in per cent": _pue,
    "market figure beside a grid factor": _market_as_location,
    "6PD with all experts": _sparse_six_p_d,
    "chips called facility": _chip_as_facility,
    "TDP called measured": _tdp_as_measured,
    "days or node-hours for hours": _hours,
    "negative": _negative,
    "exponent of the FLOP": _flop_exponent,
    "parameters or tokens in another unit": _count_unit,
}
"""What each kind is called, and how it is planted."""
