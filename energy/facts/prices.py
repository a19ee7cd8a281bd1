"""Prices as dated rows: chip-hours and electricity, each with low, middle, high, terms and source.

A price is never assumed in silence: a site without one has no cost. Whoever wants one of these rows
names it, and sees its date and how sure it is wherever the cost is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from energy.errors import InputError
from energy.facts import catalog
from energy.quantity import Origin, Quantity

KINDS = {"chip": "USD/h", "electricity": "USD/kWh"}


@dataclass(frozen=True, kw_only=True)
class Price:
    """What a unit of something cost at a time.

    Attributes:
        id: name of the row.
        kind: chip (dollars an hour of one chip) or electricity (dollars a kWh).
        chip: id of the chip in the catalog; None for electricity.
        price: dollars, with the cheapest and the dearest offers as its band; always an assumption.
        terms: what is bought: on demand, reserved, list.
        date: year and month.
        source: citation.
        licence: of the data.
        status: how sure the row is.
        notes: what a reader must know.
    """

    id: str
    kind: str
    chip: str | None
    price: Quantity
    terms: str
    date: str
    source: str
    licence: str
    status: str
    notes: str | None


def price(name: str, unit: str | None = None) -> Price:
    """A price by the name of its row.

    Args:
        name: "h100-on-demand-2026".
        unit: what it has to be in: "USD/h" for a chip, "USD/kWh" for electricity.

    Raises:
        InputError: there is no such row, or it is of another kind.
    """
    found = catalog.find("price", name, prices(), lambda row: (row.id,))
    if unit is not None and found.price.unit != unit:
        known = ", ".join(row.id for row in prices() if row.price.unit == unit)
        raise InputError(
            f"expected a price in {unit}", f"{found.id} in {found.price.unit}", f"one of: {known}"
        )
    return found


@cache
def prices() -> tuple[Price, ...]:
    """All prices, in the order of the file."""

    def read(row: dict[str, str]) -> Price:
        if KINDS.get(row["kind"]) != row["unit"]:
            raise ValueError(f"{row['kind']} in {row['unit']}")
        value, low, high = (float(row[key]) for key in ("value", "low", "high"))
        source = f"price {row['id']} ({row['date']}, {row['terms']}): {row['source']}"
        # Its band is that of offers, its status that of the row: assumed until a user's own bill.
        found = Quantity(
            value=value,
            low=low,
            high=high,
            unit=row["unit"],
            origin=Origin.ASSUMED,
            source=f"{source} ({row['status']})",
        )
        same = ("id", "kind", "terms", "date", "source", "licence", "status")
        return Price(
            **{key: row[key] for key in same},
            price=found,
            chip=catalog.cell(row["chip"], str | None),
            notes=catalog.cell(row["notes"], str | None),
        )

    return tuple(catalog.rows("prices.csv", read))
