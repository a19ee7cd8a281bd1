"""Dated prices of chip-hours and electricity, each with band, term, currency and source.

A price is never assumed silently: a site without a price has no cost. A scenario that uses one of
these rows names it, and its date and status are shown wherever the cost is shown. Prices of one's
own are rows too: those of a price book (`energy.facts.price_book`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from energy.errors import InputError
from energy.facts import price_book
from energy.facts.cells import cell
from energy.facts.rows import find, rows
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
        term: on demand, spot, list, reserved 1 year, owned, ...
        terms: what is bought, in words.
        currency: in which it is paid; the price is in dollars all the same.
        date: year and month.
        source: citation.
        license: license of the data.
        status: one of `energy.facts.rows.STATUSES`.
        notes: caveats.
    """

    id: str
    kind: str
    chip: str | None
    price: Quantity
    term: str
    terms: str
    currency: str
    date: str
    source: str
    license: str
    status: str
    notes: str | None


def price(name: str, unit: str | None = None) -> Price:
    """A price by the name of its row.

    Args:
        name: such as "h100-on-demand-2026", or "book.toml:h100" of a price book.
        unit: the unit that it must have: "USD/h" for a chip, "USD/kWh" for electricity.

    Raises:
        InputError: there is no such row, it has another unit, or `name` is a book of several.
    """
    named = priced(name)
    rows = [row for row in named if unit in (None, row.price.unit)]
    if len(rows) == 1:
        return rows[0]
    names = ", ".join(row.id for row in rows) or ", ".join(
        row.id for row in prices() if row.price.unit == unit
    )
    got = f"{len(rows)} of them in {name}" if rows else f"{name} in {named[0].price.unit}"
    what = "a price" if not rows else "one price"
    raise InputError(f"expected {what}{f' in {unit}' if unit else ''}", got, f"one of: {names}")


def price_of(chip: str, rows: Sequence[Price], name: str) -> Price:
    """The price of a chip among some.

    Args:
        chip: id of the chip in the catalog.
        rows: prices.
        name: of these rows, as of `priced`.

    Raises:
        InputError: none of them, or more than one, is of the chip.
    """
    its = [row for row in rows if row.chip == chip]
    if len(its) == 1:
        return its[0]
    if its:
        raise ambiguous(its)
    others = ", ".join(str(row.chip or row.kind) for row in rows)
    raise InputError(f"expected a price of the chip {chip}", f"{name}, a price of {others}")


def ambiguous(rows: Sequence[Price]) -> InputError:
    """The error of a chip, or electricity, for which several prices are named."""
    what, names = rows[0].chip or rows[0].kind, ", ".join(row.id for row in rows)
    return InputError(f"expected one price of {what}", names, "name one of them")


def priced(name: str) -> tuple[Price, ...]:
    """The rows of a name: one of the table, all of a price book, or one of a book.

    Args:
        name: "h100-on-demand-2026", "book.toml" or "book.toml:h100".

    Raises:
        InputError: there is no such row or book, or the book is not valid.
    """
    path, suffix, row = str(name).partition(".toml")
    if not suffix:
        return (find("price", name, prices(), lambda row: (row.id,), "simulator prices"),)
    book = tuple(Price(**fields) for fields in price_book.rows(Path(path + suffix)))
    if not row:
        return book

    def names(row: Price) -> tuple[str, ...]:
        return (row.id,)

    return (find("price", str(name), book, names, f"simulator prices {path}.toml"),)


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
        texts = ("id", "kind", "term", "terms", "currency", "date", "source", "license", "status")
        return Price(
            **{key: row[key] for key in texts},
            price=amount,
            chip=cell(row["chip"], str | None),
            notes=cell(row["notes"], str | None),
        )

    return tuple(rows("prices.csv", read))
