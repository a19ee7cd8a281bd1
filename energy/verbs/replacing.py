"""A record that is written from ledgers replaces none that says more."""

from __future__ import annotations

from pathlib import Path

from energy.errors import InputError
from energy.facts.site import UNKNOWN_ZONE
from energy.record import RunRecord


def require_nothing_lost(record: RunRecord, folder: Path, fix: str) -> None:
    """Check that the record of a folder has no metric, label or grid zone that this one lacks.

    Trainers write metrics, and no ledger has labels or the place.

    Args:
        record: to be written.
        folder: that may have a record; none, or one that cannot be read, is no reason.
        fix: what to do instead.

    Raises:
        InputError: it has.
    """
    try:
        present = RunRecord.load(folder)
    except InputError:
        return
    lost = sorted(set(present.metrics) - set(record.metrics))
    lost += [f"label {name}" for name in sorted(set(present.labels) - set(record.labels))]
    zone = present.labels.get("zone", UNKNOWN_ZONE)
    if zone != UNKNOWN_ZONE and record.labels.get("zone", UNKNOWN_ZONE) == UNKNOWN_ZONE:
        lost.append(f"zone {zone}")
    if lost:
        names = ", ".join(lost[:4]) + (", ..." if len(lost) > 4 else "")
        path = folder / "record.json"
        raise InputError(
            f"expected no record at {path} that says more than its ledgers", names, fix
        )
