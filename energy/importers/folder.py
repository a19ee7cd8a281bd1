"""Writes imported runs as `energy run` would have left them: ledgers, and the records from them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from energy import units
from energy.errors import InputError
from energy.facts.catalog import known_chip
from energy.facts.site import Site
from energy.files import PRIVATE, require_writable, write_atomic
from energy.footprint.apply import at_site
from energy.importers.imported import Device, ImportedRun
from energy.importers.ledger_rows import rows_of, time_between
from energy.ledger import accounting
from energy.ledger.lines import FILE, seal
from energy.ledger.plausible import MARGIN, limit_of
from energy.record import RunRecord

NOT_OURS = "imported from {source} ({kind}): what that tool read, not a meter of ours"
NO_METER = "imported from {source} ({kind}): what it states; no meter read these joules"

FIRST_DAY_S = 86_400.0 * 365
"""No log is of 1970: a moment before this one, in seconds since then, is a duration."""

RANGE = 100
"""Characters of a name of a folder."""


def folders_of(runs: Sequence[ImportedRun], out: Path) -> list[Path]:
    """A folder for each run: the one that was named, or of several runs, one in it for each.

    Raises:
        InputError: one of them has a ledger, or cannot be written.
    """
    folders = [out]
    if len(runs) > 1:
        names = [_file_name(run.labels.get("codecarbon_run") or run.name) for run in runs]
        folders = [out / f"{number:03}-{name}" for number, name in enumerate(names, 1)]
    for folder in folders:
        if (folder / FILE).exists():
            raise InputError(
                "expected a folder without a ledger", str(folder), "choose another with --out"
            )
        require_writable(folder / FILE)
    return folders


def _file_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip(".-")[:RANGE] or "run"


def completed(
    run: ImportedRun, labels: Mapping[str, str], source: str, kind: str, chips: int | None
) -> ImportedRun:
    """A run with labels, facts and notes for its record.

    Args:
        run: as its log has it.
        labels: of the user.
        source: name of the log.
        kind: of the log.
        chips: accelerators, if the user named their number.

    Raises:
        InputError: it has no joules, or more than its devices can have spent.
    """
    devices = [device for device in run.devices if _has_time(device)]
    _require_possible(devices, source)
    own = {**run.labels, **labels}
    if run.chip and "chip" not in own and (name := _catalog_name(run.chip)):
        own["chip"] = name
    metered = any(device.domain.origin == "measured" for device in devices)
    first = NOT_OURS if metered else NO_METER
    notes = [first.format(source=source, kind=kind), *_unread(run.devices, devices)]
    if (between_s := time_between(devices)) > 0:
        notes.append(
            f"{units.duration(between_s)} between its stretches, of which the log says nothing, "
            "are neither in the joules nor in the seconds"
        )
    facts = {"imported_from": source, "imported_kind": kind, **run.facts, **_moment(devices)}
    return replace(
        run,
        name=run.name or Path(source).stem,
        devices=devices,
        labels=own,
        notes=[*notes, *run.notes],
        facts={**facts, "chip": run.chip} if run.chip else facts,
        chips=chips or run.chips,
    )


def _moment(devices: Sequence[Device]) -> dict[str, str]:
    """When the run ended, if its log has days: one without counts its seconds from 0."""
    spans = [(begin_s, end_s) for device in devices for begin_s, end_s, _ in device.spent]
    moments = [(s, s) for device in devices for s, _ in (*device.powers, *device.counts)]
    first_s, last_s = min(spans + moments)[0], max(s for _, s in spans + moments)
    if first_s < FIRST_DAY_S:
        return {}
    return {"ended_utc": datetime.fromtimestamp(last_s, UTC).isoformat(timespec="seconds")}


def write(run: ImportedRun, folder: Path, site: Site) -> RunRecord:
    """Write ledger and record of a run that is complete.

    Raises:
        InputError: the folder cannot be written; nothing is left half written.
    """
    identity, previous, lines = _identity(run), "", []
    for row in rows_of(run, identity, _clock(run, identity)):
        line, previous = seal(row, previous)
        lines.append(line)
    write_atomic(folder / FILE, lambda file: file.writelines(lines), PRIVATE)
    record = accounting.record(
        folder / FILE,
        name=run.name,
        labels=run.labels,
        notes=run.notes,
        chips=run.chips,
        environment=run.facts,
    )
    record = at_site(record, site)
    record.save(folder / "record.json")
    return record


def _catalog_name(product: str) -> str | None:
    """The id of a chip of the catalog by the product name in a log; None if it is not in it."""
    known = known_chip(product)
    return known.id if known else None


def _identity(run: ImportedRun) -> str:
    """An id that two imports of the same readings share."""
    parts = [run.name]
    for device in run.devices:
        parts += [device.domain.id, repr(device.powers), repr(device.counts), repr(device.spent)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _clock(run: ImportedRun, identity: str) -> str:
    """The clock of a run: that of its machine, or of the world for boards that have a UUID."""
    if run.host:
        return f"imported, {run.host}"
    unique = all(device.domain.id.startswith("GPU-") for device in run.devices)
    return "imported" if unique else f"imported, {identity}"


def _has_time(device: Device) -> bool:
    read = [time_s for time_s, value in (*device.powers, *device.counts) if value is not None]
    return bool(device.spent) or len(set(read)) > 1


def _unread(every: Iterable[Device], kept: Sequence[Device]) -> list[str]:
    names = [device.domain.id for device in every if device not in kept]
    return [f"{', '.join(names)}: fewer than two readings, left out"] if names else []


def _require_possible(devices: Sequence[Device], source: str) -> None:
    """Check that there is time, and that no device spent more than it can."""
    if not devices:
        raise InputError(
            f"expected two readings or more of a device in {source}",
            "none that lie apart in time",
            "log for longer, or name another file",
        )
    for device in devices:
        limit_w = MARGIN * limit_of(device.domain.as_dict())
        for begin_s, end_s, joules in device.spent:
            if joules > limit_w * (end_s - begin_s):
                watts = joules / (end_s - begin_s)
                raise InputError(
                    f"expected at most {units.si(limit_w, 'W')} of {device.domain.id} in {source}",
                    f"{units.energy(joules)} in {units.duration(end_s - begin_s)}, "
                    f"{units.si(watts, 'W')}",
                    "is the unit that of the column's name?",
                )
