"""Where a run could stand: grid zones and published data centres, and a run moved to each.

A run that is moved keeps its chips' joules, its building (PUE, litres of the site) and its
overheads, unless the place publishes its own; it leaves its grid, the water of that grid and its
contracts behind. So what differs between zones is the grid alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from energy.errors import InputError, MissingDataError, nearest
from energy.facts import grid
from energy.facts.site import Site, site
from energy.facts.zone import Region, Zone
from energy.footprint.apply import at_site
from energy.quantity import Boundary, Quantity
from energy.record import RunRecord

KINDS = ("zone", "site")


KEPT = ("pue", "wue", "node_over_chip", "it_over_node", "generation_over_facility", "lifetime_s")


Key = float | str | None


Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A grid zone or a published data centre.

    Attributes:
        kind: zone, or site for a data centre.
        id: its name in a scenario: site.zone or site.region.
        name: in words.
        zone: grid zone of a data centre, where it is known.
        location: average grams of CO2e a kWh of the grid, gross.
        market: grams a kWh after clean-energy purchases, net.
        pue: facility over IT energy.
        wue: litres of the site an IT kWh.
        ewif: litres a kWh of the grid.
        signal: what the grams are: average or marginal, combustion or life cycle.
        year: of the data.
        source: citation.
        status: how sure the row is.
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


@dataclass(frozen=True)
class Moved:
    """A run at a place.

    Attributes:
        place: where.
        record: the run with that place's footprint.
    """

    place: Place
    record: RunRecord

    @property
    def facility_j(self) -> Quantity:
        """Joules of the facility there."""
        return self.record.joules_at(Boundary.FACILITY)


def places() -> tuple[Place, ...]:
    """Every place of the catalog: the zones, then the data centres."""
    return (*map(_zone, grid.zones()), *map(_site, grid.regions()))


def choose(
    found: Iterable[Place],
    words: Sequence[str] = (),
    *,
    kind: str | None = None,
    below: float | None = None,
) -> list[Place]:
    """The places that fit.

    Args:
        found: places.
        words: parts of an id or a name; a place fits when it holds one of them.
        kind: zone or site.
        below: most grams of CO2e a kWh, gross; what is not known does not fit.

    Raises:
        InputError: there is no such kind.
        MissingDataError: no place fits.
    """
    if kind is not None and kind not in KINDS:
        raise InputError("expected --kind", kind, nearest(kind, KINDS))
    chosen = [
        place
        for place in found
        if (kind in (None, place.kind))
        and (not words or any(_named(place, word) for word in words))
        and (below is None or (place.location.value is not None and place.location.value <= below))
    ]
    if not chosen:
        raise MissingDataError(
            "expected a place that fits",
            ", ".join(words) or "none",
            "list them all with: simulator regions",
        )
    return chosen


def move(record: RunRecord, found: Iterable[Place]) -> list[Moved]:
    """The run at each place."""
    building = {
        name: record.factors[name]
        for name in KEPT
        if name in record.factors and record.factors[name].value is not None
    }
    return [Moved(place, at_site(record, _there(place, building))) for place in found]


def ordered(found: Sequence[Place], by: str) -> list[Place]:
    """Places by a column, least first; what is not known comes last.

    Raises:
        InputError: there is no such column.
    """
    columns: dict[str, Callable[[Place], Key]] = {
        "co2": lambda place: place.location.value,
        "market": lambda place: place.market.value,
        "pue": lambda place: place.pue.value,
        "water": lambda place: place.ewif.value,
        "name": lambda place: place.name.lower(),
        "year": lambda place: place.year,
    }
    return _least_first(found, columns, by)


def ordered_runs(found: Sequence[Moved], by: str) -> list[Moved]:
    """Moved runs by an answer, least first; what is not known comes last.

    Raises:
        InputError: there is no such answer.
    """
    columns: dict[str, Callable[[Moved], Key]] = {
        "co2": lambda moved: moved.record.co2_location_g.value,
        "market": lambda moved: moved.record.co2_market_g.value,
        "pue": lambda moved: moved.record.factors["pue"].value,
        "water": lambda moved: moved.record.water_l.value,
        "energy": lambda moved: moved.facility_j.value,
        "name": lambda moved: moved.place.name.lower(),
        "year": lambda moved: moved.place.year,
    }
    return _least_first(found, columns, by)


def _least_first(
    found: Sequence[Item], columns: dict[str, Callable[[Item], Key]], by: str
) -> list[Item]:
    if by not in columns:
        raise InputError("expected --sort with a column", by, nearest(by, columns))

    def place(item: Item) -> tuple[bool, Any]:
        key = columns[by](item)
        return key is None, 0 if key is None else key

    return sorted(found, key=place)


def _named(place: Place, word: str) -> bool:
    """Whether an id is that word, or an id or name of some length holds it."""
    small = word.lower()
    return small == place.id.lower() or (
        len(small) > 2 and any(small in text.lower() for text in (place.id, place.name))
    )


def _there(place: Place, building: dict[str, Quantity]) -> Site:
    if place.kind == "zone":
        figures: dict[str, Any] = dict(building)
        return site(place.id, **figures)
    own = {
        name: value
        for name, value in (
            ("pue", place.pue),
            ("wue", place.wue),
            ("ewif", place.ewif),
            ("grid_location", place.location),
            ("grid_market", place.market),
        )
        if value.value is not None
    }
    # Its gross factor may not be published, and an unknown place is no answer to "where".
    gross = {} if place.zone else {"grid_location": place.location}
    figures = {**building, **gross, **own}
    return site(place.zone, name=place.name, **figures)


def _zone(row: Zone) -> Place:
    gone = "no data centre: a zone is a grid alone"
    return Place(
        kind="zone",
        id=row.id,
        name=row.name,
        zone=row.id,
        location=row.g_per_kwh,
        market=Quantity.absent("g/kWh", gone),
        pue=Quantity.absent("1", gone),
        wue=Quantity.absent("L/kWh", gone),
        ewif=Quantity.absent("L/kWh", "not in the catalog"),
        signal=row.signal,
        year=row.year,
        source=row.source,
        status=row.status,
    )


def _site(row: Region) -> Place:
    def given(value: float | None, unit: str) -> Quantity:
        if value is None:
            return Quantity.absent(unit, f"not published: {row.source}")
        return Quantity.exact(value, unit, f"{row.name}: {row.source} ({row.year})")

    location = given(row.location_g_per_kwh, "g/kWh")
    if row.location_g_per_kwh is None and row.zone is not None:
        location = grid.zone(row.zone).g_per_kwh
    return Place(
        kind="site",
        id=row.id,
        name=row.name,
        zone=row.zone,
        location=location,
        market=given(row.market_g_per_kwh, "g/kWh"),
        pue=given(row.pue, "1"),
        wue=given(row.wue_l_per_kwh, "L/kWh"),
        ewif=given(row.ewif_l_per_kwh, "L/kWh"),
        signal="as published",
        year=row.year,
        source=row.source,
        status=row.status,
    )
