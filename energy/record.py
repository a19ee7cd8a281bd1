"""The RunRecord: the form of every run, measured or predicted.

glam/ writes measured ones and simulator/ predicted ones; whatever reads them treats both alike.
"""

from __future__ import annotations

import json
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from energy import tables
from energy.amounts import require_possible
from energy.arithmetic import add
from energy.display import Displayed
from energy.errors import BoundaryError, InputError
from energy.files import group_may_read, permissions, write_text_atomic
from energy.inputs import read_bytes
from energy.parallel import Attempt, Rank
from energy.quantity import Boundary, Origin, Quantity
from energy.typed import first_error

SCHEMA_VERSION = "2.1"

READABLE_VERSIONS = ("1.0", "2.0", "2.1")
"""Schema versions that can be loaded; each only added fields to the one before."""

FORMER_METRICS = {"held_out_loss": "validation_loss"}
"""Former names of metrics, still read."""

NOT_HOURLY = Quantity.absent("g", "no series over time was named (energy hourly)")

BRIDGE = "bridge"
"""The `api` of an entry with the joules of short stretches without readings."""


class Kind(StrEnum):
    """Whether a run happened or was predicted."""

    MEASURED = "measured"
    PREDICTED = "predicted"


class EnergyEntry(Quantity):
    """Joules of one device, at one boundary, in one phase.

    A stretch of time without readings is an entry of its own: its origin is missing, it has no
    value, and `seconds` and `why` describe the gap. Short ones are bridged: the entry of a bridge
    is modelled, and its api is "bridge".

    Attributes:
        device: unique name of what was metered: a GPU UUID, "cpu-package-0", "node".
        boundary: the boundary at which it is metered.
        phase: compute, evaluation, checkpoint, idle, ... or "run" for the whole run.
        within: the device whose joules include these, if any; such entries are never added.
        api: the counter or formula that was read.
        covered: fraction of the entry's time that readings cover, 0 to 1; None when it is not
            known or the entry is not measured.
        seconds: length of the stretches without readings that the entry stands for.
        why: why they have no readings.
        begin_s: beginning of the stretch, in seconds from the start of the run.
        end_s: its end; of several stretches for one reason, that of the last.
    """

    unit: str = "J"
    device: str
    boundary: Boundary
    phase: str = "run"
    within: str | None = None
    api: str = ""
    covered: float | None = Field(default=None, ge=0, le=1)
    seconds: float | None = Field(default=None, ge=0)
    why: str | None = None
    begin_s: float | None = None
    end_s: float | None = None

    def __repr__(self) -> str:
        return f"EnergyEntry({self.device!r}, {self.boundary}, {self.phase}, {self})"


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
        begin_s: beginning of the first one, in seconds from the start of the run.
        end_s: end of the last one, in seconds from the start of the run.
        unresolved: how many of them were shorter than three updates of the slowest meter.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    phase: str = "compute"
    count: int = Field(ge=0)
    elapsed_s: Quantity
    energy_j: Quantity
    begin_s: float | None = None
    end_s: float | None = None
    unresolved: int = Field(default=0, ge=0)


class Phase(BaseModel):
    """All time of one phase; together the phases of a run make up its time and its joules."""

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


class RunRecord(Displayed, BaseModel):
    """One run, measured or predicted; docs/record.md explains every field.

    Totals are joules by boundary. `energy.footprint.apply.at_site` computes the carbon, water and
    cost fields from the totals and from dated factors, which it lists in `factors`.
    """

    model_config = ConfigDict(extra="forbid")

    schema_version: str = SCHEMA_VERSION
    name: str
    kind: Kind
    created_utc: str = ""
    revision: int = Field(
        default=1, ge=1, description="how often the record was written from the same ledger"
    )
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
    co2_location_hourly_g: Quantity = NOT_HOURLY
    co2_market_hourly_g: Quantity = NOT_HOURLY
    co2_embodied_g: Quantity
    water_l: Quantity
    cost_usd: Quantity
    wasted: Wasted
    attempts: list[Attempt] = []
    ranks: list[Rank] = []
    environment: dict[str, Any] = {}
    factors: dict[str, Quantity] = {}
    parts: list[Part] = []
    windows: list[Window] = []
    phases: list[Phase] = []
    metrics: dict[str, Quantity] = {}
    shape: dict[str, Any] = {}
    scenario: dict[str, Any] = Field(default={}, description="of what a predicted record is made")
    labels: dict[str, str] = {}
    notes: list[str] = []

    @field_validator("schema_version")
    @classmethod
    def _raise_version(cls, version: str) -> str:
        if version not in READABLE_VERSIONS:
            raise ValueError(f"version {version} is none of {', '.join(READABLE_VERSIONS)}")
        return SCHEMA_VERSION

    @field_validator("metrics")
    @classmethod
    def _rename_metrics(cls, metrics: dict[str, Quantity]) -> dict[str, Quantity]:
        return {FORMER_METRICS.get(name, name): value for name, value in metrics.items()}

    def joules_at(self, boundary: Boundary) -> Quantity:
        """Joules at a boundary; missing, with the reason, where the record has no total there."""
        reason = f"{self.name} has no total at the {boundary} boundary"
        return self.totals.get(boundary, Quantity.absent("J", reason))

    def quantities(self) -> dict[str, Quantity]:
        """The headline quantities by name, with the unit at the end of a name that needs one."""
        return {
            "tokens": self.tokens,
            "params_total": self.params_total,
            "params_active": self.params_active,
            "model_flop": self.model_flop,
            "executed_flop": self.executed_flop,
            "elapsed_s": self.elapsed_s,
            "chip_s": self.chip_s,
            **{f"energy_{boundary}_j": joules for boundary, joules in self.totals.items()},
            "co2_location_g": self.co2_location_g,
            "co2_market_g": self.co2_market_g,
            "co2_location_hourly_g": self.co2_location_hourly_g,
            "co2_market_hourly_g": self.co2_market_hourly_g,
            "co2_embodied_g": self.co2_embodied_g,
            "water_l": self.water_l,
            "cost_usd": self.cost_usd,
            "wasted_energy_j": self.wasted.energy_j,
            **self.metrics,
        }

    def to_frame(self) -> Any:
        """The headline quantities as a pandas frame, one row each; see `energy.tables.to_frame`.

        Example: pandas.concat({run.name: run.to_frame() for run in runs}) compares runs.
        """
        return tables.to_frame(self.quantities())

    def windows_to_frame(self) -> Any:
        """The joules of the windows as a frame of `energy.tables.to_frame`, with their number.

        The column unresolved counts those that were too short for the meters.
        """
        many = Counter(w.name for w in self.windows)
        names = [w.name if many[w.name] == 1 else f"{w.name} ({w.phase})" for w in self.windows]
        joules = {name: w.energy_j for name, w in zip(names, self.windows, strict=True)}
        more = {k: [getattr(w, k) for w in self.windows] for k in ("phase", "count", "unresolved")}
        return tables.to_frame(joules, **more)

    def __repr__(self) -> str:
        """RunRecord('glam-64b-64e', predicted, 309 MWh facility, 147 t CO2e)."""
        facts = [repr(self.name), str(self.kind)]
        if at := [at for at in Boundary if at in self.totals and at is not Boundary.GENERATION]:
            facts.append(f"{self.totals[at[-1]].human()} {at[-1]}")
        co2 = self.co2_location_g if self.co2_location_g.value is not None else self.co2_market_g
        if co2.value is not None:
            facts.append(f"{co2.human()} CO2e")
        return f"RunRecord({', '.join(facts)})"

    __str__ = __repr__
    # IPython takes the first class that has either.
    _repr_pretty_ = Displayed._repr_pretty_

    def save(self, path: str | Path, *, group: bool = False) -> None:
        """Write the record as JSON, whole or not at all; in a folder, as its record.json.

        The user alone may read it; so may the group on request, or where it could before.
        """
        path = Path(path)
        path = path / "record.json" if path.is_dir() else path
        mode = permissions(group or group_may_read(path))
        write_text_atomic(path, self.model_dump_json(indent=1) + "\n", mode)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a record, of this schema version or an older one.

        Raises:
            InputError: there is no such file, it is no RunRecord in JSON, or an amount in it cannot
                be: see `energy.amounts`.
        """
        path = Path(path)
        path = path / "record.json" if path.is_dir() else path
        content = read_bytes(path, "a record", "name a record.json or the folder that contains one")
        fix = "write it again with this version, or correct that field"
        try:
            record = cls.model_validate_json(content)
        except ValidationError as error:
            expectation = f"expected a RunRecord (schema {SCHEMA_VERSION}) in {path}"
            raise InputError(expectation, first_error(error), fix) from error
        require_possible(record, str(path), fix)
        return record


def totals(entries: list[EnergyEntry]) -> dict[Boundary, Quantity]:
    """Sum entries by boundary, no joule twice.

    An entry counts unless a device around it was read too: cores count where their package cannot
    be read. Devices of one boundary are added with correlated bands, because meters of one kind
    err together.
    """
    by_boundary: dict[Boundary, list[EnergyEntry]] = {}
    for entry in entries:
        if not is_within_another(entry, entries):
            by_boundary.setdefault(entry.boundary, []).append(entry)
    return {boundary: total(group) for boundary, group in by_boundary.items()}


def total(entries: list[EnergyEntry]) -> Quantity:
    """Joules of entries that may be added.

    Raises:
        BoundaryError: two of them overlap, or have different boundaries.
    """
    names = [entry.device for entry in entries]
    for entry in entries:
        entries[0].boundary.require(entry.boundary)
        if is_within_another(entry, entries):
            raise BoundaryError(
                "expected devices that do not overlap",
                f"{entry.device} and {entry.within}",
                "add only one of them: the second includes the first",
            )
    return add(entries, names=names, source=f"sum of {', '.join(sorted(set(names)))}")


def is_within_another(entry: EnergyEntry, entries: list[EnergyEntry]) -> bool:
    """Whether a device around this one was read, or is missing as this one is."""
    around: dict[str, EnergyEntry] = {}
    for other in entries:
        # A device with readings and gaps has several entries; it was read if any has a value.
        if other.boundary is entry.boundary and (
            other.value is not None or other.device not in around
        ):
            around[other.device] = other
    name = entry.within
    while name is not None and name in around:
        outer = around[name]
        if outer.value is not None or entry.value is None:
            return True
        name = outer.within
    return False


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
