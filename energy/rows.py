"""Data as flat rows, for CSV and frames: a quantity becomes a value with its unit in the name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from energy.quantity import Quantity

SPELLED = {"d": "days", "wk": "weeks"}
"""Units that names write out."""


def rows_of(data: Mapping[str, Any] | list[Any]) -> list[dict[str, Any]]:
    """Rows with `energy_mwh`, `energy_mwh_low`, `energy_mwh_high`, `energy_origin`.

    Args:
        data: a list of rows, or a table whose first list of tables is the rows; a table without
            such a list is one row.
    """
    return [dict(_cells(row)) for row in _rows(data)]


def _rows(data: Mapping[str, Any] | list[Any]) -> list[Mapping[str, Any]]:
    if isinstance(data, list):
        return data
    lists = (value for value in data.values() if isinstance(value, list))
    rows = next((rows for rows in lists if rows and isinstance(rows[0], Mapping)), None)
    return [data] if rows is None else rows


def _cells(row: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The cells of a row: tables inside it are joined with an underscore, lists are left out."""
    for key, value in row.items():
        name = f"{prefix}{key}"
        quantity = _quantity(value)
        if quantity is not None:
            yield from _of_quantity(name, quantity)
        elif isinstance(value, Mapping):
            yield from _cells(value, f"{name}_")
        elif not isinstance(value, list | tuple):
            yield name, value


def _of_quantity(name: str, quantity: Quantity) -> Iterator[tuple[str, Any]]:
    named = with_unit(name, quantity.unit)
    yield named, quantity.value
    yield f"{named}_low", quantity.low
    yield f"{named}_high", quantity.high
    yield f"{_without_inner(name, _suffix(quantity.unit))}_origin", str(quantity.origin)


def with_unit(name: str, unit: str) -> str:
    """A name with its unit at the end, once: `energy_mwh`; `power_mw_chip` is `power_chip_mw`."""
    if unit == "1":
        return name
    suffix = _suffix(unit)
    short = _without_inner(name, suffix)
    written = (suffix, SPELLED.get(suffix, suffix))
    is_there = any(name == word or name.lower().endswith(f"_{word}") for word in written)
    return short if is_there else f"{short}_{suffix}"


def _suffix(unit: str) -> str:
    return unit.lower().replace("1/", "per_").replace("/", "_per_")


def _without_inner(name: str, suffix: str) -> str:
    """A name without the unit of the table that it stands in."""
    return name.replace(f"_{suffix}_", "_")


def _quantity(value: Any) -> Quantity | None:
    if isinstance(value, Quantity):
        return value
    if isinstance(value, Mapping) and {"value", "unit", "origin"} <= set(value):
        fields = {key: value[key] for key in Quantity.model_fields if key in value}
        return Quantity.model_validate(fields)
    return None
