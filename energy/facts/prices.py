"""Dated prices of chip-hours and electricity, each with band, terms and source.

A price is never assumed silently: a site without a price has no cost. A scenario that uses one of
these rows names it, and its date and status are shown wherever the cost is shown.
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
    """The price of one unit at a date.

    Attributes:
        id: name of the row.
        kind: chip (dollars per chip-hour) or electricity (dollars per kWh).
        chip: id of the chip in the catalog; None for electricity.
        price: dollars; the band spans the cheapest and the most expensive offers. Its origin is
            always assumed.
        terms: what is bought: on demand, reserved, list price.
        date: year and month.
        source: citation.
        license: license of the data.
        status: one of `energy.facts.catalog.STATUSES`.
        notes: caveats.
    """

    id: str
    kind: str
    chip: str | None
    price: Quantity
    terms: str
    date: str
    source: str
    license: str
    status: str
    notes: str | None


def price(name: str, unit: str | None = None) -> Price:
    """A price by the name of its row.

    Args:
        name: such as "h100-on-demand-2026".
        unit: the unit that it must have: "USD/h" for a chip, "USD/kWh" for electricity.

    Raises:
        InputError: there is no such row, or it has another unit.
    """
    row = catalog.find("price", name, prices(), lambda row: (row.id,), "simulator prices")
    if unit is not None and row.price.unit != unit:
        names = ", ".join(other.id for other in prices() if other.price.unit == unit)
        raise InputError(
            f"expected a price in {unit}", f"{row.id} in {row.price.unit}", f"one of: {names}"
        )
    return row


@cache
def prices() -> tuple[Price, ...]:
    """All prices, in the order of the file."""

    def read(row: dict[str, str]) -> Price:
        if KINDS.get(row["kind"]) != row["unit"]:
            raise ValueError(f"{row['kind']} in {row['unit']}")
        value, low, high = (float(row[key]) for key in ("value", "low", "high"))
        source = f"price {row['id']} ({row['date']}, {row['terms']}): {row['source']}"
        # The band is that of the offers; only a user's own bill would be more than an assumption.
        amount = Quantity(
            value=value,
            low=low,
            high=high,
            unit=row["unit"],
            origin=Origin.ASSUMED,
            source=f"{source} ({row['status']})",
        )
        texts = ("id", "kind", "terms", "date", "source", "license", "status")
        return Price(
            **{key: row[key] for key in texts},
            price=amount,
            chip=catalog.cell(row["chip"], str | None),
            notes=catalog.cell(row["notes"], str | None),
        )

    return tuple(catalog.rows("prices.csv", read))
