"""Many runs in one table: which there were, what each spent, and sums by user, project or month.

Each run counts at the innermost boundary of which it has joules, as its headline does. Joules of
different boundaries are never added: a group has a line for each. A run whose ledgers are part of a
merged record counts in that record alone.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from energy import units
from energy.arithmetic import add
from energy.errors import InputError, MissingDataError, require_choice
from energy.ledger.lines import FILE, require_ledger, rows
from energy.ledger.notes import ENDS
from energy.quantity import Boundary, Quantity
from energy.record import Kind, RunRecord

UNKNOWN = "unknown"
"""A user or a project that no record names."""

UNITS = {"elapsed_s": "s", "energy_j": "J", "co2_g": "g", "cost_usd": "USD", "tokens": "1"}
"""Units of what a run spent."""

RAISED = re.compile(r"(segment \d+: )?(the run raised|the run ended with|training ended with)")
"""How the notes of a run begin that ended with an exception."""

NO_RECORD = "no record"
"""Status of a ledger that has no record: the run goes on, or was killed."""


@dataclass(frozen=True)
class Listed:
    """A run in the list.

    Attributes:
        folder: of the run.
        name: of the run.
        written: when its record was written, or its ledger begun, if that is known.
        status: done, failed (CODE), raised, killed or no record.
        user: label user, or who ran it.
        project: label project.
        boundary: where its joules were metered; empty without joules.
        energy_j: joules there.
        co2_g: grams of CO2e of the facility.
        cost_usd: dollars.
        elapsed_s: duration.
        tokens: that it processed.
    """

    folder: Path
    name: str
    written: datetime | None
    status: str
    user: str
    project: str
    boundary: str
    energy_j: Quantity
    co2_g: Quantity
    cost_usd: Quantity
    elapsed_s: Quantity
    tokens: Quantity

    @property
    def month(self) -> str:
        """Year and month of its record."""
        return f"{self.written:%Y-%m}" if self.written else UNKNOWN

    @property
    def kwh(self) -> float:
        """Kilowatt-hours; 0 where they are missing."""
        return (self.energy_j.value or 0.0) / units.J_PER_KWH

    def as_dict(self) -> dict[str, Any]:
        """The run as plain data."""
        return {
            "folder": str(self.folder),
            "name": self.name,
            "written_utc": self.written.isoformat(timespec="seconds") if self.written else None,
            "status": self.status,
            "user": self.user,
            "project": self.project,
            "boundary": self.boundary or None,
            **self.quantities(),
        }

    def quantities(self) -> dict[str, Quantity]:
        """What it spent, by name."""
        return {
            "elapsed_s": self.elapsed_s,
            "energy_j": self.energy_j,
            "co2_g": self.co2_g,
            "cost_usd": self.cost_usd,
            "tokens": self.tokens,
        }


@dataclass(frozen=True)
class Group:
    """Runs of one user, project or month at one boundary, and their sums.

    Attributes:
        key: of the group; "all" for the sum of all runs.
        boundary: of their joules.
        runs: in the group.
    """

    key: str
    boundary: str
    runs: Sequence[Listed]

    def total(self, name: str) -> Quantity:
        """The sum of a quantity; runs without it are named in `missing`."""
        every = [run.quantities()[name] for run in self.runs]
        # A record may state another unit where it states no value.
        unit = UNITS[name]
        parts = [q if q.value is not None else Quantity.absent(unit, q.source) for q in every]
        return add(parts, names=[str(run.folder) for run in self.runs], source="sum of runs")

    def as_dict(self) -> dict[str, Any]:
        """The group as plain data."""
        sums = {name: self.total(name) for name in ("elapsed_s", "energy_j", "co2_g", "cost_usd")}
        return {
            "group": self.key,
            "boundary": self.boundary or None,
            "runs": len(self.runs),
            **sums,
            "runs_without_energy": sum(run.energy_j.value is None for run in self.runs),
        }


@dataclass(frozen=True)
class Filters:
    """Which runs are listed.

    Attributes:
        since: first moment, ISO 8601; a date is its beginning.
        until: last moment, ISO 8601; a date is its end.
        user: whole name.
        project: whole name.
        status: first letters of the status.
        min_kwh: least kilowatt-hours.
    """

    since: str | None = None
    until: str | None = None
    user: str | None = None
    project: str | None = None
    status: str | None = None
    min_kwh: float | None = None

    def test(self) -> Callable[[Listed], bool]:
        """Whether a run is listed, as a function.

        Raises:
            InputError: a moment is no date or time, or the kilowatt-hours are negative.
        """
        since, until = _moment("--since", self.since), _moment("--until", self.until, end=True)
        least = self.min_kwh
        if least is not None and not least >= 0:
            raise InputError("expected --min-kwh of 0 or more", str(least))

        def matches(run: Listed) -> bool:
            return (
                (since is None or (run.written is not None and run.written >= since))
                and (until is None or (run.written is not None and run.written <= until))
                and self.user in (None, run.user)
                and self.project in (None, run.project)
                and run.status.startswith(self.status or "")
                and (least is None or run.kwh >= least)
            )

        return matches


def listed(folders: Iterable[Path], filters: Filters) -> tuple[list[Listed], list[str]]:
    """The measured runs in some folders, at any depth, the newest last.

    Returns:
        The runs, and remarks on what was left out.

    Raises:
        InputError: a folder does not exist, or a filter cannot be read.
        MissingDataError: there is no run in the folders.
    """
    matches = filters.test()
    roots = list(folders)
    paths, remarks = set[Path](), []
    for root in roots:
        if not root.exists():
            raise InputError(f"expected a folder with runs at {root}", "no such file or folder")
        paths |= {path.parent for name in ("record.json", FILE) for path in root.rglob(name)}
    runs, parts, predicted = [], set[Path](), 0
    for folder in sorted(paths):
        try:
            record = _record(folder)
            own = _of_ledger(folder) if record is None else of_record(folder, record)
        except InputError as error:
            remarks.append(f"left out: {error}")
            continue
        if record is not None and record.kind is not Kind.MEASURED:
            predicted += 1
            continue
        parts |= _merged(record)
        runs.append((folder, own))
    whole = [run for folder, run in runs if folder.resolve() not in parts]
    if len(whole) < len(runs):
        remarks.append(f"counted once: {len(runs) - len(whole)} runs that are in a merged record")
    if predicted:
        remarks.append(f"left out: {predicted} predictions")
    if not runs and not remarks:
        raise MissingDataError(
            f"expected runs in {', '.join(map(str, roots))}",
            "none",
            "meter one first: energy run, glam train or a Tracker",
        )
    start = datetime.min.replace(tzinfo=UTC)
    return sorted(filter(matches, whole), key=lambda run: run.written or start), remarks


def require_key(by: str | None) -> None:
    """Check by what runs are to be grouped.

    Raises:
        InputError: it is neither user, project nor month.
    """
    if by is not None:
        require_choice("--group-by", by, ("user", "project", "month"))


def groups(runs: Sequence[Listed], by: str | None) -> list[Group]:
    """The sums of runs by user, project or month; of all runs without that."""
    keys: dict[tuple[str, str], list[Listed]] = {}
    for run in runs:
        key = "all" if by is None else str(getattr(run, by))
        keys.setdefault((key, run.boundary), []).append(run)
    # Runs without joules stand with the others of their group, whose sum then names them.
    for (key, boundary), own in list(keys.items()):
        others = [k for k in keys if k[0] == key and k[1]]
        if not boundary and others:
            keys[others[0]] += own
            del keys[key, boundary]
    return [Group(key, boundary, own) for (key, boundary), own in sorted(keys.items())]


def remarks_on(group: Group) -> Iterator[str]:
    """What the sum of a group leaves out."""
    without = [run.folder.name for run in group.runs if run.energy_j.value is None]
    if without:
        yield f"{group.key}: joules of {_some(without)} are missing"
    read = [run for run in group.runs if run.energy_j.value is not None]
    partly = [run.folder.name for run in read if run.energy_j.missing]
    if partly:
        yield f"{group.key}: parts of {_some(partly)} could not be read"


def _some(names: Sequence[str], most: int = 3) -> str:
    """Names, and how many more there are: 'a, b, c and 4 more'."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _record(folder: Path) -> RunRecord | None:
    """The record in a folder; None for a ledger alone."""
    path = folder / "record.json"
    return RunRecord.load(path) if path.exists() else None


def _merged(record: RunRecord | None) -> set[Path]:
    """The folders whose ledgers a record was merged from."""
    return set() if record is None else {Path(p) for p in record.environment.get("merged_from", ())}


def of_record(folder: Path, record: RunRecord) -> Listed:
    """A run that has a record."""
    totals = record.totals
    boundary = min(totals, key=list(Boundary).index) if totals else None
    joules = totals[boundary] if boundary else Quantity.absent("J", "nothing was metered")
    labels, environment = record.labels, record.environment
    return Listed(
        folder=folder,
        name=record.name,
        written=_time(record.created_utc),
        status=_status(record),
        user=labels.get("user") or str(environment.get("user") or UNKNOWN),
        project=labels.get("project") or UNKNOWN,
        boundary=str(boundary or ""),
        energy_j=joules,
        co2_g=record.co2_location_g,
        cost_usd=record.cost_usd,
        elapsed_s=record.elapsed_s,
        tokens=record.tokens,
    )


def _of_ledger(folder: Path) -> Listed:
    """A run that has no record yet: what its ledger begins with."""
    header = next((row for row, _ in rows(require_ledger(folder))), {})
    why = f"no record yet: energy record {shlex.quote(str(folder))}"
    labels = header.get("labels") or {}
    return Listed(
        folder=folder,
        name=str(header.get("name") or folder.name),
        written=_time(str(header.get("utc") or "")),
        status=NO_RECORD,
        user=str(labels.get("user") or UNKNOWN),
        project=str(labels.get("project") or UNKNOWN),
        boundary="",
        **{name: Quantity.absent(unit, why) for name, unit in UNITS.items()},
    )


def _status(record: RunRecord) -> str:
    """Whether a measured run reached its end."""
    code = record.environment.get("exit_code")
    if code:
        return f"failed ({code})"
    if any(map(RAISED.match, record.notes)):
        return "raised"
    cut_short = any(end in note for note in record.notes for end in ENDS.values())
    return "killed" if cut_short and "rebuilt from the ledger" in record.notes else "done"


def _time(text: str) -> datetime | None:
    """A moment of ISO 8601; UTC where it states no zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _moment(option: str, text: str | None, *, end: bool = False) -> datetime | None:
    """A moment that a user wrote; a date alone is the beginning or the end of that day."""
    if text is None:
        return None
    moment = _time(text)
    if moment is None:
        raise InputError(f"expected {option} as a date or time", text, f"{option} 2026-11-30")
    if end and len(text) <= len("2026-11-30"):
        return moment.replace(hour=23, minute=59, second=59, microsecond=999_999)
    return moment
