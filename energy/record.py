"""The RunRecord: the one form in which a run is told, measured or predicted.

glam/ writes measured records, simulator/ writes predicted ones, and everything that compares,
plots or reports reads this file and does not ask which kind it got.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from energy.errors import BoundaryError, InputError
from energy.files import write_text_atomic
from energy.quantity import Boundary, Origin, Quantity, add, multiply

SCHEMA_VERSION = "1.0"


class Kind(StrEnum):
    """Whether a record tells what was spent or what would be spent."""

    MEASURED = "measured"
    PREDICTED = "predicted"


class EnergyEntry(Quantity):
    """Joules of one device, at one boundary, in one phase.

    Attributes:
        device: unique name of what was metered: a GPU UUID, "cpu-package-0", "node".
        boundary: where its meter stands.
        phase: compute, evaluation, checkpoint, idle, ... or "run" for all of it.
        within: the device whose joules already hold these, if any; such entries are shown and
            never added.
        api: the counter or formula that was read.
    """

    unit: str = "J"
    device: str
    boundary: Boundary
    phase: str = "run"
    within: str | None = None
    api: str = ""


class Part(BaseModel):
    """Work, time and energy of one part of the model or of the step."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    model_flop: Quantity | None = None
    executed_flop: Quantity | None = None
    time_s: Quantity | None = None
    energy_j: Quantity | None = None


class Window(BaseModel):
    """All windows of one name: how often, how long, how many joules.

    Attributes:
        unresolved: how many of them were shorter than three steps of the coarsest counter.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    phase: str = "compute"
    count: int
    elapsed_s: Quantity
    energy_j: Quantity
    unresolved: int = 0


class Phase(BaseModel):
    """All time of one phase; the phases of a run share out its time, and its joules with it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    elapsed_s: Quantity
    energy_j: Quantity


class Wasted(BaseModel):
    """What was spent on work that was lost: after a crash, or in a skipped step."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    energy_j: Quantity
    model_flop: Quantity
    elapsed_s: Quantity


class RunRecord(BaseModel):
    """One run, measured or predicted; see the house's schema in docs/record.md.

    Totals are joules by boundary. The carbon, water and cost fields come from
    `energy.footprint.apply.apply`, from the totals and dated factors that stand in `factors`.
    """

    model_config = ConfigDict(extra="forbid")

    schema_version: str = SCHEMA_VERSION
    name: str
    kind: Kind
    created_utc: str = ""
    tokens: Quantity
    params_total: Quantity
    params_active: Quantity
    model_flop: Quantity
    executed_flop: Quantity
    elapsed_s: Quantity
    chip_s: Quantity
    energy: list[EnergyEntry] = []
    totals: dict[Boundary, Quantity] = {}
    co2_location_g: Quantity
    co2_market_g: Quantity
    co2_embodied_g: Quantity
    water_l: Quantity
    cost_usd: Quantity
    wasted: Wasted
    environment: dict[str, Any] = {}
    factors: dict[str, Quantity] = {}
    parts: list[Part] = []
    windows: list[Window] = []
    phases: list[Phase] = []
    metrics: dict[str, Quantity] = {}
    shape: dict[str, Any] = {}
    scenario: dict[str, Any] = Field(
        default={}, description="what a predicted record was computed from"
    )
    labels: dict[str, str] = {}
    notes: list[str] = []

    def joules_at(self, boundary: Boundary) -> Quantity:
        """Joules at a boundary; missing, with the reason, where the record has no total there."""
        reason = f"{self.name} has no total at the {boundary} boundary"
        return self.totals.get(boundary, Quantity.absent("J", reason))

    def save(self, path: str | Path) -> None:
        """Write the record as JSON, whole or not at all."""
        write_text_atomic(Path(path), self.model_dump_json(indent=1) + "\n")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a record.

        Raises:
            InputError: there is no such file, it is not JSON, or it is not a RunRecord.
        """
        path = Path(path)
        path = path / "record.json" if path.is_dir() else path
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise InputError(
                f"expected a record at {path}",
                (error.strerror or "").lower(),
                "name a record.json or the folder that holds one",
            ) from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(step) for step in first["loc"]) or "the file"
            raise InputError(
                f"expected a RunRecord (schema {SCHEMA_VERSION}) in {path}",
                f"{where}: {first['msg'].lower()}",
                "write it again with this version, or mend that field",
            ) from error


def totals(entries: list[EnergyEntry]) -> dict[Boundary, Quantity]:
    """Sum entries by boundary along one path of the tree of what holds what.

    An entry counts unless something that holds it was read too: cores count where their package
    cannot be read. Devices of one boundary are added with correlated bands: meters of one kind
    err together.
    """
    by_boundary: dict[Boundary, list[EnergyEntry]] = {}
    for entry in entries:
        if not _held(entry, entries):
            by_boundary.setdefault(entry.boundary, []).append(entry)
    return {boundary: total(found) for boundary, found in by_boundary.items()}


def total(entries: list[EnergyEntry]) -> Quantity:
    """Joules of entries that may be added.

    Raises:
        BoundaryError: two of them overlap, or stand at different boundaries.
    """
    names = [entry.device for entry in entries]
    for entry in entries:
        entries[0].boundary.require(entry.boundary)
        if _held(entry, entries):
            raise BoundaryError(
                "devices that do not overlap",
                f"{entry.device} and {entry.within}",
                "add one of them: the second holds the first",
            )
    return add(entries, names=names, source=f"sum of {', '.join(sorted(set(names)))}")


def _held(entry: EnergyEntry, entries: list[EnergyEntry]) -> bool:
    """Whether something that holds a device was itself read, or is missing as the device is."""
    by_name = {(e.device, e.boundary): e for e in entries}
    name = entry.within
    while name is not None:
        holder = by_name.get((name, entry.boundary))
        if holder is None:
            return False
        if holder.value is not None or entry.value is None:
            return True
        name = holder.within
    return False


def raise_boundary(
    total: Quantity, at: Boundary, to: Boundary, factor: Quantity
) -> tuple[Boundary, Quantity]:
    """Raise joules from one boundary to a wider one with a factor that has a source.

    Example: node joules x PUE = facility joules, when the network share is in the PUE.
    """
    order = list(Boundary)
    if order.index(to) <= order.index(at):
        at.require(to)
    return to, multiply(total, factor, total.unit)


def nothing_wasted(source: str, origin: Origin) -> Wasted:
    """A `Wasted` of zeros: nothing was lost, and `source` says how that is known."""
    return Wasted(
        energy_j=Quantity.exact(0.0, "J", source, origin),
        model_flop=Quantity.exact(0.0, "FLOP", source, origin),
        elapsed_s=Quantity.exact(0.0, "s", source, origin),
    )


def json_schema() -> str:
    """The JSON schema of a record, as text."""
    return json.dumps(RunRecord.model_json_schema(mode="serialization"), indent=1) + "\n"
