"""Where a run could be placed: grid zones and published data centers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from energy.errors import MissingDataError, require_choice
from energy.facts import grid
from energy.facts.zone import Region, Zone
from energy.quantity import Quantity

KINDS = ("zone", "site")

Item = TypeVar("Item")
Key = float | str | None


@dataclass(frozen=True, kw_only=True)
class Place:
    """A grid zone or a published data center.

    Attributes:
        kind: zone, or site for a data center.
        id: its name in a scenario: site.zone or site.region.
        name: in words.
        zone: grid zone of a data center, where it is known.
        location: average grams of CO2e per kWh of the grid, gross.
        market: grams of CO2e per kWh after clean-energy purchases, net.
        pue: facility over IT energy.
        wue: liters of the site per kWh of IT.
        ewif: liters per kWh of the grid.
        signal: what the grams are: average or marginal, combustion or life cycle.
        year: of the data.
        source: citation.
        status: how certain the row is.
    """

    kind: str
    id: str
    name: str
    zone: str | None
    location: Quantity
    market: Quantity
    pue: Quantity
    wue: Quantity
    ewif: Quantity
    signal: str
    year: int | None
    source: str
    status: str

    def matches(self, word: str) -> bool:
        """Whether a word is its id, or at least three letters of its id or name."""
        small = word.lower()
        return small == self.id.lower() or (
            len(small) > 2 and any(small in text.lower() for text in (self.id, self.name))
        )


SORT_KEYS: dict[str, Callable[[Place], Key]] = {
    "co2": lambda place: place.location.value,
    "market": lambda place: place.market.value,
    "pue": lambda place: place.pue.value,
    "water": lambda place: place.ewif.value,
    "name": lambda place: place.name.lower(),
    "year": lambda place: place.year,
}
"""What places are sorted by."""


def places() -> tuple[Place, ...]:
    """Every place of the catalog: the zones, then the data centers."""
    return (*map(_of_zone, grid.zones()), *map(_of_data_center, grid.regions()))


def choose(
    words: Sequence[str] = (), *, kind: str | None = None, below: float | None = None
) -> list[Place]:
    """The places of the catalog that match.

    Args:
        words: ids, or parts of an id or a name; a place matches if it matches one of them.
        kind: zone or site.
        below: highest grams of CO2e per kWh, gross; a place without that figure does not match.

    Raises:
        InputError: there is no such kind.
        MissingDataError: no place matches.
    """
    if kind is not None:
        require_choice("--kind", kind, KINDS)

    def matches(place: Place) -> bool:
        grams = place.location.value
        return (
            kind in (None, place.kind)
            and (not words or any(place.matches(word) for word in words))
            and (below is None or (grams is not None and grams <= below))
        )

    chosen = [place for place in places() if matches(place)]
    if not chosen:
        raise MissingDataError(
            "expected a place that matches",
            ", ".join(words) or "none",
            "list them all with: simulator regions",
        )
    return chosen


def ordered(
    items: Iterable[Item], keys: Mapping[str, Callable[[Item], Key]], by: str
) -> list[Item]:
    """Items by one of their keys, least first; items without a value come last.

    Raises:
        InputError: there is no such key.
    """
    require_choice("--sort", by, keys)

    def place(item: Item) -> tuple[bool, Any]:
        key = keys[by](item)
        return key is None, 0 if key is None else key

    return sorted(items, key=place)


def _of_zone(row: Zone) -> Place:
    no_site = "no data center: a zone is a grid alone"
    return Place(
        kind="zone",
        id=row.id,
        name=row.name,
        zone=row.id,
        location=row.g_per_kwh,
        market=Quantity.absent("g/kWh", no_site),
        pue=Quantity.absent("1", no_site),
        wue=Quantity.absent("L/kWh", no_site),
        ewif=Quantity.absent("L/kWh", "not in the catalog"),
        signal=row.signal,
        year=row.year,
        source=row.source,
        status=row.status,
    )


def _of_data_center(row: Region) -> Place:
    def published(value: float | None, unit: str) -> Quantity:
        if value is None:
            return Quantity.absent(unit, f"not published: {row.source}")
        return Quantity.exact(value, unit, f"{row.name}: {row.source} ({row.year})")

    location = published(row.location_g_per_kwh, "g/kWh")
    if row.location_g_per_kwh is None and row.zone is not None:
        location = grid.zone(row.zone).g_per_kwh
    return Place(
        kind="site",
        id=row.id,
        name=row.name,
        zone=row.zone,
        location=location,
        market=published(row.market_g_per_kwh, "g/kWh"),
        pue=published(row.pue, "1"),
        wue=published(row.wue_l_per_kwh, "L/kWh"),
        ewif=published(row.ewif_l_per_kwh, "L/kWh"),
        signal="as published",
        year=row.year,
        source=row.source,
        status=row.status,
    )


def size_for_rows(rows: int) -> tuple[float, float]:
    """Inches of a picture with so many rows."""
    return 7.5, min(max(1.4 + 0.2 * rows, 2.0), 7.0)
