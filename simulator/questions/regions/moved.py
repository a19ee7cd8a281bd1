"""A run that is moved to each of some places.

It keeps the joules of its chips, its building (PUE, water of the site) and its overheads, except
for figures that the place publishes; it leaves its grid, the water of that grid and its contracts
behind. So between zones only the grid differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from energy.errors import MissingDataError
from energy.facts.site import Site, site
from energy.footprint.apply import at_site
from energy.quantity import Boundary, Quantity
from energy.record import RunRecord
from simulator.kit.answer import Answer
from simulator.questions.regions.places import Key, Place, ordered, size_for_rows
from simulator.runs import reported
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
    def title(self) -> str:
        """The places of the least and of the most CO2e, by the grid."""
        known = sorted(
            (run.record.co2_location_g.numbers()[0], run.place.id, run.record.co2_location_g)
            for run in self.rows
            if run.record.co2_location_g.value is not None
        )
        if not known:
            return self.headline
        (_, least, low), (_, most, high) = known[0], known[-1]
        return f"{self.headline}: {low.human()} of CO2e at {least}, {high.human()} at {most}"

    @property
    def panel_size(self) -> tuple[float, float]:
        """Inches of one panel."""
        return size_for_rows(len(self.rows))


def moved_runs(
    of: RunTarget,
    places: Iterable[Place],
    *,
    basis: str,
    sort: str,
    top: int | None,
    overrides: Mapping[str, Any] | None,
) -> MovedRuns:
    """A run at each of some places, with the arguments of `regions`."""
    record, energy, boundary = _own(of, basis, overrides)
    rows = ordered(moved(record, places), RUN_SORT_KEYS, sort)[:top]
    return MovedRuns(record=record, energy=energy, boundary=boundary, rows=rows)


def moved(record: RunRecord, places: Iterable[Place]) -> list[MovedRun]:
    """The run at each place."""
    building = {
        name: record.factors[name]
        for name in KEPT
        if name in record.factors and record.factors[name].value is not None
    }
    return [MovedRun(place, at_site(record, _site(place, building))) for place in places]


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
    from simulator.runs.predict import predict

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
