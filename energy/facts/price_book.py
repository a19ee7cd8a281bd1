"""A price book: a TOML file of what someone pays for chip-hours and electricity.

Its prices are named wherever a row of the shipped table is: `book.toml` means each price of the
book for its chip, `book.toml:h100` one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from energy.errors import InputError, nearest
from energy.facts import catalog
from energy.inputs import is_number, read_toml, table_of
from energy.quantity import Origin, Quantity

TEMPLATE = """\
# What you pay, in one currency: simulator plan ... --price my-prices.toml
currency = "USD"
# usd_per_unit = 1.08           # dollars of one unit of another currency, on that date
date = "2026-11"
source = "our contract"

[chips.h100]                    # a chip of the catalog, by any of its names
term = "reserved 1 year"        # on demand, spot, list, reserved 1 year, reserved 3 years
per_h = { value = 2.35, low = 2.20, high = 2.60 }  # of one chip; or a number alone

[chips.own-b200]                # any name, where the chip is named below
chip = "b200"
term = "owned"
purchase = 45000                # of one chip with its share of node and network
lifetime_years = 4
utilization = 0.85              # share of its life in which it computes
upkeep_per_h = 0.40             # electricity, hall and staff of one chip-hour of computing

[electricity.contract]          # where no chip is rented: energy alone
per_kwh = 0.09
"""
"""What `simulator prices init` writes."""

FIX = "write one with: simulator prices init FILE.toml"
TERMS = ("on demand", "spot", "list", "reserved 1 year", "reserved 3 years", "owned")
KEYS = ("currency", "usd_per_unit", "date", "source", "chips", "electricity")
RENTED = ("chip", "term", "per_h", "source")
OWNED = ("chip", "term", "purchase", "lifetime_years", "utilization", "upkeep_per_h", "source")
BOUGHT = ("per_kwh", "source")
HOURS_PER_YEAR = 365.25 * 24
MOST = 1e9
"""More than anything costs, in dollars."""


def rows(path: Path) -> list[dict[str, Any]]:
    """The prices of a book, as fields of `energy.facts.prices.Price`.

    An owned chip costs, for each hour in which it computes, its purchase over the hours of its life
    times its utilization, and its upkeep: 45,000 dollars over 4 years at 0.85 and 0.40 dollars are
    45,000 / (4 * 8,766 * 0.85) + 0.40 = 1.91 dollars an hour.

    Raises:
        InputError: there is no such file, it is not TOML, a key is unknown or absent, a chip is not
            in the catalog, or a value is not of its kind.
    """
    book = read_toml(path, "a price book", FIX)
    _require_known(book, KEYS, str(path))
    common = {key: _word(book, key, path) for key in ("currency", "date", "source")}
    rate = _dollars(book, common["currency"], path)
    made = [
        _row(name, values, chip, common, rate, path)
        for section, chip in (("chips", True), ("electricity", False))
        for name, values in table_of(book.get(section, {}), f"[{section}.NAME] of {path}").items()
    ]
    if not made:
        raise InputError(f"expected a price in {path}", "none", FIX)
    return made


def _row(
    name: str, values: Any, is_chip: bool, common: dict[str, str], rate: float, path: Path
) -> dict[str, Any]:
    """One price; `rate` is in dollars a unit of the book's currency."""
    kind = "chip" if is_chip else "electricity"
    where = f"[{'chips' if is_chip else kind}.{name}] of {path}"
    values = table_of(values, where)
    term, numbers = (_priced if is_chip else _bought)(values, where)
    value, low, high = (number * rate for number in numbers)
    unit = "USD/h" if is_chip else "USD/kWh"
    if not 0 <= low <= value <= high <= MOST:
        raise InputError(
            f"expected 0 <= low <= value <= high in {where}",
            f"{low:g}, {value:g}, {high:g} {unit}",
        )
    currency, date = common["currency"], common["date"]
    converted = "" if currency == "USD" else f", at {rate:g} USD a {currency}"
    source = str(values.get("source", common["source"]))
    cited = f"price book {path} ({date}, {term}{converted}): {source}"
    return {
        "id": f"{path}:{name}",
        "kind": kind,
        "chip": catalog.chip(values.get("chip", name)).id if is_chip else None,
        "price": Quantity(
            value=value, low=low, high=high, unit=unit, origin=Origin.ASSUMED, source=cited
        ),
        "term": term,
        "terms": f"{term}{converted}",
        "currency": currency,
        "date": date,
        "source": source,
        "license": "own",
        "status": "assumed",
        "notes": None,
    }


def _dollars(book: Mapping[str, Any], currency: str, path: Path) -> float:
    """Dollars of one unit of a book's currency."""
    if currency != "USD":
        rate, *_ = _amount(book, "usd_per_unit", str(path))
        if rate > 0:
            return rate
    elif "usd_per_unit" not in book:
        return 1.0
    raise InputError(
        f"expected usd_per_unit above 0 in {path} for another currency than USD, and only then",
        f"{book['usd_per_unit']} for {currency}",
    )


def _priced(values: Mapping[str, Any], where: str) -> tuple[str, tuple[float, float, float]]:
    """The term of a chip's price, and what an hour costs: middle, low, high."""
    term = values.get("term")
    if term not in TERMS:
        raise InputError(
            f"expected a term in {where}", str(term or "none"), f"one of: {', '.join(TERMS)}"
        )
    if term != "owned":
        _require_known(values, RENTED, where)
        return term, _amount(values, "per_h", where)
    _require_known(values, OWNED, where)
    years, share = (_amount(values, key, where)[0] for key in ("lifetime_years", "utilization"))
    if not 0 < years <= 100:
        raise InputError(f"expected lifetime_years above 0 and to 100 in {where}", f"{years:g}")
    if not 0 < share <= 1:
        raise InputError(f"expected a utilization above 0 and to 1 in {where}", f"{share:g}")
    purchase, upkeep = (_amount(values, key, where) for key in ("purchase", "upkeep_per_h"))
    hours = years * HOURS_PER_YEAR * share
    value, low, high = (p / hours + u for p, u in zip(purchase, upkeep, strict=True))
    return term, (value, low, high)


def _bought(values: Mapping[str, Any], where: str) -> tuple[str, tuple[float, float, float]]:
    _require_known(values, BOUGHT, where)
    return "electricity", _amount(values, "per_kwh", where)


def _amount(values: Mapping[str, Any], key: str, where: str) -> tuple[float, float, float]:
    """A number, or a table of value, low and high."""
    value = values.get(key)
    table = value if isinstance(value, Mapping) else {"value": value}
    _require_known(table, ("value", "low", "high"), f"{key} in {where}")
    middle = table.get("value")
    numbers: list[Any] = [middle, table.get("low", middle), table.get("high", middle)]
    if not all(is_number(number) and 0 <= number <= MOST for number in numbers):
        raise InputError(
            f"expected {key} in {where} as a number, or a table of value, low and high",
            "nothing" if value is None else str(value),
            f"{key} = 2.5",
        )
    return float(numbers[0]), float(numbers[1]), float(numbers[2])


def _word(book: Mapping[str, Any], key: str, path: Path) -> str:
    text = book.get(key)
    if not isinstance(text, str) or not text.strip():
        raise InputError(f"expected {key} in {path}", "nothing" if text is None else str(text), FIX)
    return text


def _require_known(table: Mapping[str, Any], keys: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in keys:
            raise InputError(f"expected a known key in {where}", key, nearest(key, keys))
