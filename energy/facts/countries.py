"""Countries: their codes of two and three letters, and the water that their electricity takes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from energy.facts.cells import cell
from energy.facts.rows import rows
from energy.quantity import Origin, Quantity


@dataclass(frozen=True)
class Country:
    """A country.

    Attributes:
        alpha3: "FRA".
        alpha2: "FR".
        name: in English.
        ewif: liters of water per kWh of its grid, with a band; missing where nothing is published.
    """

    alpha3: str
    alpha2: str
    name: str
    ewif: Quantity


@cache
def countries() -> tuple[Country, ...]:
    """All countries that have a factor."""

    def read(row: dict[str, str]) -> Country:
        value, low, high = (
            cell(row[name], float | None) for name in ("ewif_l_per_kwh", "ewif_low", "ewif_high")
        )
        water = (
            Quantity.absent("L/kWh", f"no water intensity of the grid of {row['name']} is known")
            if value is None
            else Quantity(
                value=value,
                low=low,
                high=high,
                unit="L/kWh",
                origin=Origin.ASSUMED,
                source=f"{row['name']} {row['year']}: {row['source']}; {row['license']}",
            )
        )
        return Country(row["alpha3"], row["alpha2"], row["name"], water)

    return tuple(rows("countries.csv", read))


@cache
def by_code() -> dict[str, Country]:
    """Countries by both of their codes."""
    return {code: country for country in countries() for code in (country.alpha3, country.alpha2)}
