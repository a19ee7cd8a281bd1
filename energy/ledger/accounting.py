"""From a ledger to a RunRecord: energy, windows, phases, and what was wasted."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import compress
from pathlib import Path
from typing import Any

from energy.calibration import apply as calibration
from energy.errors import InputError, MissingDataError, nearest
from energy.ledger import attempts, contradictions, joules
from energy.ledger import reader as ledger
from energy.ledger.environment import of_run
from energy.ledger.groups import phases_of, windows_of
from energy.ledger.lines import FLOP, TOKENS
from energy.ledger.notes import notes_of
from energy.ledger.owned import of_rank
from energy.ledger.segment import Segment
from energy.ledger.stated import COUNTS, as_quantity
from energy.ledger.wasted import Span, counted, wasted_spans, wasted_windows
from energy.quantity import Origin, Quantity
from energy.record import (
    EnergyEntry,
    Kind,
    RunRecord,
    Wasted,
    nothing_wasted,
    totals,
)

UNSTATED = {
    "the run did not say": COUNTS,
    "no site was applied": {
        "co2_location_g": "g",
        "co2_market_g": "g",
        "co2_embodied_g": "g",
        "water_l": "L",
        "cost_usd": "USD",
    },
}
"""Fields of a record that a ledger does not contain, by the reason why they are missing."""


@dataclass(frozen=True)
class Snapshot:
    """The state of a run that is going on.

    Attributes:
        elapsed_s: time since the tracker was opened.
        energy: joules of this process so far, at the innermost boundary.
        power_w: mean watts over the last sampling interval.
        energies: the joules by device.
        powers: the watts by device.
    """

    elapsed_s: float
    energy: Quantity
    power_w: Quantity
    energies: tuple[EnergyEntry, ...] = ()
    powers: tuple[EnergyEntry, ...] = ()

    @property
    def devices(self) -> set[str]:
        """Names of the devices that it is of."""
        return {entry.device for entry in self.energies}

    def without(self, devices: Collection[str]) -> Snapshot:
        """Return that of the other devices, so that a device of several ranks counts once."""
        energies, powers = (
            [entry for entry in entries if entry.device not in devices]
            for entries in (self.energies, self.powers)
        )
        return _of_devices(self.elapsed_s, energies, powers)


def snapshot(segments: list[Segment], run_id: str, elapsed_s: float) -> Snapshot:
    """Joules and watts of the newest segment of a run, up to its last sample.

    A reading that cannot follow the one before it counts once others have confirmed it.
    """
    own, _ = of_rank([s for s in segments if s.header.get("id") == run_id])
    if not own:
        reason = "no sample yet"
        return Snapshot(elapsed_s, Quantity.absent("J", reason), Quantity.absent("W", reason))
    newest = own[-1]
    start_s, stop_s = newest.times[0], newest.times[-1]
    if stop_s <= start_s:
        reason = "only one sample"
        return Snapshot(elapsed_s, Quantity.absent("J", reason), Quantity.absent("W", reason))
    run: list[Span] = [(newest, start_s, stop_s)]
    refused = contradictions.refused(run)
    recent: list[Span] = [(newest, newest.times[-2], stop_s)]
    return _of_devices(
        elapsed_s, joules.entries(run, refused=refused), joules.powers(recent, refused)
    )


def _of_devices(
    elapsed_s: float, energies: list[EnergyEntry], powers: list[EnergyEntry]
) -> Snapshot:
    """Return the state of a run from what its devices have spent."""
    energy, power_w = joules.innermost(energies, "J"), joules.innermost(powers, "W")
    return Snapshot(elapsed_s, energy, power_w, tuple(energies), tuple(powers))


def record(
    path: Path,
    *,
    name: str,
    labels: Mapping[str, str],
    notes: list[str],
    chips: int = 1,
    flop_by_window: Mapping[str, float] | None = None,
    environment: Mapping[str, Any] | None = None,
    reader: ledger.Reader | None = None,
    **fields: Any,
) -> RunRecord:
    """The measured record of a run.

    Args:
        path: the ledger.
        name: name of the run.
        labels: labels of the run.
        notes: what a reader of the record should know.
        chips: devices that the run occupied, for chip-seconds.
        flop_by_window: model FLOP of one window, by name, to count the FLOP of wasted windows.
        environment: facts about the software that only the caller knows.
        reader: has read the ledger already.
        fields: further fields of the record: tokens, params_total, params_active, model_flop,
            executed_flop (numbers or quantities), parts, metrics, shape, ...; quantities that are
            not passed are missing, but for tokens that the run counted in its ledger.

    Raises:
        MissingDataError: the ledger has no sample.
        InputError: a field is unknown, or its value is impossible.
    """
    segments, refused, of_meters = _read(path, reader or ledger.Reader(path))
    spans = [segment.span for segment in segments]
    wasted = wasted_spans(segments)
    elapsed_s = sum(stop - start for _, start, stop in spans)
    elapsed = Quantity.exact(elapsed_s, "s", "monotonic clock, first to last row of each attempt")
    before_s = elapsed_before(segments)
    energy = joules.entries(
        spans, axis=lambda s, time_s: before_s[id(s)] + time_s - s.start_s, refused=refused
    )
    wall, calibration_notes = calibration.wall_entries(energy, elapsed_s)
    energy += wall
    return measured(
        name=name,
        elapsed_s=elapsed,
        chip_s=elapsed.scaled(chips, source="chips x elapsed time"),
        energy=energy,
        totals=totals(energy),
        wasted=_wasted(wasted, flop_by_window or {}, energy, refused),
        attempts=attempts.of_one(segments),
        windows=windows_of(segments, before_s, wasted, refused),
        phases=phases_of(segments, refused),
        environment={**of_run(segments), **(environment or {})},
        labels=dict(labels),
        notes=[*notes, *of_meters, *calibration_notes],
        **{**_counted(segments, wasted), **fields},
    )


def _read(path: Path, reader: ledger.Reader) -> tuple[list[Segment], dict[str, str], list[str]]:
    """The segments of a ledger with what their rank owns, the domains refused, and notes on both.

    Raises:
        MissingDataError: the ledger has no sample.
    """
    segments = reader.segments() if path.is_file() else []
    if not segments:
        raise _without_samples(path, len(reader.damaged))
    refused = contradictions.refused([segment.span for segment in segments])
    own, notes = of_rank(segments)
    return own, refused, [*notes, *notes_of(segments, reader.damaged, refused)]


def _counted(segments: list[Segment], wasted: list[Span]) -> dict[str, Quantity]:
    """Work that the run counted in its ledger."""
    work = {
        "tokens": counted(segments, wasted, TOKENS),
        "model_flop": counted(segments, wasted, FLOP),
    }
    source = "marks of the run in its ledger"
    return {n: Quantity.exact(count, COUNTS[n], source) for n, count in work.items() if count}


def _without_samples(path: Path, damaged: int) -> MissingDataError:
    """The error for a ledger of which no sample can be read."""
    expectation = f"expected samples in {path}"
    if not damaged:
        return MissingDataError(expectation, "none", "was the sampler killed?")
    seen = f"none that can be read: {damaged} damaged lines"
    return MissingDataError(expectation, seen, "restore the ledger from a copy")


def measured(**fields: Any) -> RunRecord:
    """A measured record of now; what a ledger cannot tell and nobody stated is missing.

    Raises:
        InputError: a field is unknown, or its value is impossible.
    """
    counts = {name: as_quantity(name, fields[name]) for name in COUNTS if name in fields}
    unstated = {
        field: Quantity.absent(unit, reason)
        for reason, units in UNSTATED.items()
        for field, unit in units.items()
    }
    created = datetime.now(UTC).isoformat(timespec="seconds")
    unknown = sorted(fields.keys() - RunRecord.model_fields.keys())
    if unknown:
        fix = nearest(unknown[0], RunRecord.model_fields)
        raise InputError("expected a field of a record", unknown[0], fix)
    try:
        return RunRecord(
            kind=Kind.MEASURED, created_utc=created, **{**unstated, **fields, **counts}
        )
    except ValueError as error:  # of pydantic, with the whole list of what is wrong
        raise InputError("expected fields of a record", _first_line(error)) from error


def _first_line(error: ValueError) -> str:
    """The first field that pydantic refuses, and why, in one line."""
    _, name, problem, *_ = [*str(error).splitlines(), "", ""]
    return f"{name}: {problem.partition('[')[0].strip().lower()}"


def elapsed_before(segments: list[Segment]) -> dict[int, float]:
    """Elapsed seconds of the run before each segment, by the segment's identity.

    Clocks of different boots cannot be compared, so the segments are joined end to end, as in the
    elapsed time of the record: the time between a kill and a restart does not count.
    """
    before_s, elapsed_s = {}, 0.0
    for segment in segments:
        before_s[id(segment)] = elapsed_s
        elapsed_s += segment.stop_s - segment.start_s
    return before_s


def _wasted(
    spans: list[Span],
    flop_by_window: Mapping[str, float],
    energy: list[EnergyEntry],
    refused: Mapping[str, str],
) -> Wasted:
    """Joules, FLOP and seconds of wasted stretches; zero joules have the origin of the run's."""
    source = "ledger: work after the last mark before a restart, and steps that were thrown away"
    if not spans:
        return nothing_wasted("ledger: nothing was repeated", weakest(energy))
    segments = list({id(segment): segment for segment, _, _ in spans}.values())
    flop = counted(segments, spans, FLOP, lost=True) or sum(
        flop_by_window.get(segment.windows.names[kind][0], 0.0)
        for segment in segments
        for kind in compress(segment.windows.kinds, wasted_windows(segment, spans))
    )
    return Wasted(
        energy_j=joules.total(spans, refused),
        model_flop=Quantity.exact(flop, "FLOP", source),
        elapsed_s=Quantity.exact(sum(stop - start for _, start, stop in spans), "s", source),
    )


def weakest(energy: list[EnergyEntry]) -> Origin:
    """The weakest origin of entries that have a value."""
    origins = [entry.origin for entry in energy if entry.value is not None]
    return max(origins, key=lambda origin: origin.rank, default=Origin.ASSUMED)
