"""The answers of `simulator regions`: places with their factors, or a run moved to each of them.

A run that is moved keeps the joules of its chips, its building (PUE, water of the site) and its
overheads, except for figures that the place publishes; it leaves its grid, the water of that grid
and its contracts behind. So between zones only the grid differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from energy.errors import InputError, MissingDataError
from energy.facts.site import Site, site
from energy.footprint.apply import at_site
from energy.quantity import Boundary, Quantity
from energy.record import RunRecord
from simulator.kit.answer import Answer
from simulator.questions.regions.places import SORT_KEYS, Key, Place, choose, ordered
from simulator.runs import reported
from simulator.runs.predict import predict
from simulator.runs.sides import RunTarget, choose_basis, read
from simulator.terms import Term

KEPT = ("pue", "wue", "node_over_chip", "it_over_node", "generation_over_facility", "lifetime_s")
"""Factors of its building that a run keeps when it is moved."""


@dataclass(frozen=True)
class MovedRun:
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


RUN_SORT_KEYS: dict[str, Callable[[MovedRun], Key]] = {
    "co2": lambda run: run.record.co2_location_g.value,
    "market": lambda run: run.record.co2_market_g.value,
    "pue": lambda run: run.record.factors["pue"].value,
    "water": lambda run: run.record.water_l.value,
    "energy": lambda run: run.facility_j.value,
    "name": lambda run: run.place.name.lower(),
    "year": lambda run: run.place.year,
}
"""What moved runs are sorted by."""


@dataclass(frozen=True, repr=False)
class Places(Answer):
    """Grid zones and data centers with their factors.

    Attributes:
        rows: the places, sorted.
    """

    view: ClassVar[str] = "places"

    rows: list[Place]

    @property
    def headline(self) -> str:
        """How many there are."""
        return f"{len(self.rows)} places"

    @property
    def panel_size(self) -> tuple[float, float]:
        """Inches of one panel."""
        return size_for_rows(len(self.rows))


@dataclass(frozen=True, kw_only=True, repr=False)
class MovedRuns(Answer):
    """A run at each of some places.

    Attributes:
        record: the run as it is.
        energy: how its joules at `boundary` came about.
        boundary: of the joules that the run keeps wherever it is.
        rows: the run at each place, sorted.
    """

    view: ClassVar[str] = "runs"

    record: RunRecord
    energy: Term
    boundary: Boundary
    rows: list[MovedRun]

    @property
    def left_open(self) -> str:
        """What was assumed of the run."""
        return "".join(note for note in self.record.notes if note.startswith("assumed, "))

    @property
    def headline(self) -> str:
        """The run, and how many places there are."""
        return f"{self.record.name} at {len(self.rows)} places"

    @property
    def panel_size(self) -> tuple[float, float]:
        """Inches of one panel."""
        return size_for_rows(len(self.rows))


def regions(
    *words: str,
    of: RunTarget | None = None,
    kind: str | None = None,
    below: float | None = None,
    sort: str = "co2",
    top: int | None = None,
    basis: str = "auto",
    overrides: Mapping[str, Any] | None = None,
) -> Places | MovedRuns:
    """Grid zones and data centers with their factors, or a run moved to each of them.

        regions("FRA", "SWE")
        regions(of="gpt3-175b", kind="site", top=5)

    Args:
        words: ids, or parts of an id or a name; all places without a word.
        of: the run to move: a scenario, a preset, a model of the catalog, a record, or the path of
            a scenario file or a record; without it the places alone are listed.
        kind: zone, or site for a data center.
        below: highest grams of CO2e per kWh, gross.
        sort: co2, market, pue, water, name or year; with a run, energy too. Least first.
        top: only the first so many.
        basis: auto, published or predicted: where time and watts of a scenario come from.
        overrides: values of the scenario by dotted key.

    Raises:
        InputError: a value is not valid, or the run is unknown.
        MissingDataError: no place matches.
    """
    if top is not None and top < 1:
        raise InputError("expected --top of 1 or more", f"{top}")
    chosen = choose(words, kind=kind, below=below)
    if of is None:
        return Places(ordered(chosen, SORT_KEYS, sort)[:top])
    record, energy, boundary = _own(of, basis, overrides)
    rows = ordered(moved(record, chosen), RUN_SORT_KEYS, sort)[:top]
    return MovedRuns(record=record, energy=energy, boundary=boundary, rows=rows)


def moved(record: RunRecord, places: Iterable[Place]) -> list[MovedRun]:
    """The run at each place."""
    building = {
        name: record.factors[name]
        for name in KEPT
        if name in record.factors and record.factors[name].value is not None
    }
    return [MovedRun(place, at_site(record, _site(place, building))) for place in places]


def size_for_rows(rows: int) -> tuple[float, float]:
    """Inches of a picture with so many rows."""
    return 7.5, min(max(1.4 + 0.2 * rows, 2.0), 7.0)


def _own(
    target: RunTarget, basis: str, overrides: Mapping[str, Any] | None
) -> tuple[RunRecord, Term, Boundary]:
    """The run where it is, how its joules came about, and the boundary of these."""
    (run,) = runs = read([target], overrides)
    if isinstance(run, RunRecord):
        if not run.totals:
            raise MissingDataError(f"expected joules in the record of {run.name}", "none")
        boundary = min(run.totals, key=list(Boundary).index)
        return run, Term(f"{boundary} energy", run.totals[boundary]), boundary
    if choose_basis(runs, basis) == "published":
        boundary = reported.require(run).power_boundary
        return reported.record(run), reported.energy(run), boundary
    prediction = predict(run)
    return prediction.record, prediction.energy, prediction.boundary


def _site(place: Place, building: Mapping[str, Quantity]) -> Site:
    """A place with the building of a run, as far as the place does not publish its own."""
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
    # Without a zone an unpublished gross factor stays missing: the world's average is not the
    # factor of a place.
    gross = {} if place.zone else {"grid_location": place.location}
    figures = {**building, **gross, **own}
    return site(place.zone, name=place.name, **figures)
