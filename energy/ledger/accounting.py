"""From a ledger to joules: windows, totals, what was wasted, and the RunRecord.

Joules are differences of cumulative counters, taken at the edges of a window by interpolation
between the samples around them, so contiguous windows sum to the window around them exactly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from energy.calibration import apply as calibrated
from energy.errors import MissingDataError
from energy.ledger import phases
from energy.ledger import reader as ledger
from energy.ledger.environment import machine
from energy.ledger.segment import Row, Segment
from energy.ledger.wasted import Span, is_lost, wasted_spans
from energy.quantity import Boundary, Origin, Quantity
from energy.record import (
    EnergyEntry,
    Kind,
    Phase,
    RunRecord,
    Wasted,
    Window,
    nothing_wasted,
    totals,
)

METER_COVERAGE = 0.95


TICKS = 3
"""Steps of a counter that a window must hold to be called resolved."""


def snapshot(segments: list[Segment], run_id: str, elapsed_s: float) -> Snapshot:
    """Joules and watts of the newest segment of a ledger."""
    found = [s for s in segments if s.header.get("id") == run_id]
    if not found:
        reason = "no sample yet"
        return Snapshot(elapsed_s, Quantity.absent("J", reason), Quantity.absent("W", reason))
    now = found[-1]
    energy = (
        _sum([(now, now.start_s, now.stop_s)])
        if now.stop_s > now.start_s
        else Quantity.absent("J", "one sample only")
    )
    recent = now.times[-2] if len(now.times) > 1 else now.start_s
    seconds = now.stop_s - recent
    power = (
        _sum([(now, recent, now.stop_s)]).scaled(1 / seconds, unit="W")
        if seconds > 0
        else Quantity.absent("W", "one sample only")
    )
    return Snapshot(elapsed_s, energy, power)


def record(
    path: Path,
    *,
    name: str,
    labels: Mapping[str, str],
    notes: list[str],
    chips: int = 1,
    flop_by_window: Mapping[str, float] | None = None,
    environment: Mapping[str, Any] | None = None,
    **fields: Any,
) -> RunRecord:
    """The measured record of a run folder.

    Args:
        path: the ledger.
        name: of the run.
        labels: of the run.
        notes: what a reader should know.
        chips: devices that the run held, for chip-seconds.
        flop_by_window: model FLOP of one window, by name; prices the wasted windows.
        environment: facts about software that only the caller knows.
        fields: tokens, params_total, params_active, model_flop, executed_flop, parts, metrics,
            shape, ...; a quantity that is not given is missing, with that as its reason.

    Raises:
        MissingDataError: the ledger holds no sample.
    """
    reader = ledger.Reader(path)
    segments = reader.segments() if path.is_file() else []
    if not segments:
        raise MissingDataError(f"expected samples in {path}", "none", "was the sampler killed?")
    all_spans = [(segment, segment.start_s, segment.stop_s) for segment in segments]
    lost = wasted_spans(segments)
    entries = _entries(all_spans)
    elapsed_s = sum(stop - start for _, start, stop in all_spans)
    elapsed = Quantity.exact(elapsed_s, "s", "monotonic clock, first to last sample")
    values: dict[str, Any] = {
        "tokens": Quantity.absent("1", "the run did not say"),
        "params_total": Quantity.absent("1", "the run did not say"),
        "params_active": Quantity.absent("1", "the run did not say"),
        "model_flop": Quantity.absent("FLOP", "the run did not say"),
        "executed_flop": Quantity.absent("FLOP", "the run did not say"),
        "co2_location_g": Quantity.absent("g", "no site was applied"),
        "co2_market_g": Quantity.absent("g", "no site was applied"),
        "co2_embodied_g": Quantity.absent("g", "no site was applied"),
        "water_l": Quantity.absent("L", "no site was applied"),
        "cost_usd": Quantity.absent("USD", "no site was applied"),
    }
    values.update(fields)
    kinds = {d["kind"] for s in segments for d in s.header["domains"] if not d["reason"]}
    wall, troubles = calibrated.at_the_wall(entries, kinds, elapsed_s)
    entries += wall
    return RunRecord(
        name=name,
        kind=Kind.MEASURED,
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        elapsed_s=elapsed,
        chip_s=elapsed.scaled(chips, source="chips x elapsed time"),
        energy=entries,
        totals=totals(entries),
        wasted=_wasted(lost, flop_by_window or {}, entries),
        windows=_windows(segments, lost),
        phases=_phases(segments),
        environment={**machine(), **_synchronised(segments), **(environment or {})},
        labels=dict(labels),
        notes=[*notes, *_ends(segments), *_jumps(segments), *_damage(reader.damaged), *troubles],
        **values,
    )


def entry(
    domain: Row, parts: list[float | None], prefix: str = "", doubt_j: float = 0.0
) -> EnergyEntry:
    """The joules of a domain from its stretches; missing where none could be read.

    Args:
        domain: its row in the header of a ledger.
        parts: joules of each stretch; None where it could not be read.
        prefix: put before the names of devices, to tell nodes apart.
        doubt_j: joules by which the edges of the stretches may be off, all together.
    """
    told = {
        "device": prefix + domain["id"],
        "boundary": Boundary(domain["boundary"]),
        "within": prefix + domain["within"] if domain["within"] else None,
        "api": domain["api"],
    }
    read = [part for part in parts if part is not None]
    if domain["reason"] or not read:
        reason = domain["reason"] or "no reading succeeded"
        return EnergyEntry(value=None, origin=Origin.MISSING, source=reason, **told)
    joules = max(0.0, sum(read))
    return EnergyEntry(
        value=joules,
        low=max(0.0, joules * domain["low"] - doubt_j),
        high=joules * domain["high"] + doubt_j,
        origin=Origin(domain["origin"]),
        source=domain["source"] or domain["api"],
        coverage=METER_COVERAGE,
        **told,
    )


def _entries(spans: list[Span]) -> list[EnergyEntry]:
    """One entry a domain over stretches of the ledger."""
    domains = {d["id"]: d for segment, _, _ in spans for d in segment.header["domains"]}
    found = []
    for name, domain in domains.items():
        own = [span for span in spans if name in span[0].curves]
        joules = [segment.between(name, start, stop) for segment, start, stop in own]
        found.append(entry(domain, joules, doubt_j=_doubt(name, own)))
    return found


def _doubt(name: str, spans: list[Span]) -> float:
    """Joules by which the edges of stretches may be off; an edge between neighbours cancels."""
    edges: dict[tuple[int, float], int] = {}
    curves = {id(segment): segment.curves[name] for segment, _, _ in spans}
    for segment, start, stop in spans:
        for edge in ((id(segment), start), (id(segment), stop)):
            edges[edge] = edges.get(edge, 0) + 1
    return math.hypot(*(curves[place].doubt(edge) for (place, edge), n in edges.items() if n == 1))


def _sum(spans: list[Span]) -> Quantity:
    """Joules of stretches at the innermost boundary that was metered."""
    found = totals(_entries(spans))
    if not found:
        return Quantity.absent("J", "no meter")
    return found[min(found, key=list(Boundary).index)]


def _windows(segments: list[Segment], lost: list[Span]) -> list[Window]:
    """The windows that were not wasted, rolled up by name and phase."""
    groups: dict[tuple[str, str], list[Span]] = {}
    for segment in segments:
        for row in segment.windows:
            span = _clip(segment, row)
            if not is_lost(row, segment, lost):
                groups.setdefault((row["name"], row["phase"]), []).append(span)
    return [
        Window(
            name=name,
            phase=phase,
            count=len(spans),
            elapsed_s=Quantity.exact(
                sum(stop - start for _, start, stop in spans), "s", "monotonic clock"
            ),
            energy_j=_sum(spans),
            unresolved=sum(stop - start < TICKS * s.resolution_s() for s, start, stop in spans),
        )
        for (name, phase), spans in groups.items()
    ]


def _phases(segments: list[Segment]) -> list[Phase]:
    """Time and joules of each phase; wasted work has the phase that it had."""
    spans: dict[str, list[Span]] = {}
    for segment in segments:
        windows = ((row["m0"] / 1e9, row["m1"] / 1e9, row["phase"]) for row in segment.windows)
        shares = phases.shared_out(windows, segment.start_s, segment.stop_s)
        for name, stretches in shares.items():
            spans.setdefault(name, []).extend((segment, *stretch) for stretch in stretches)
    return [
        Phase(
            name=name,
            elapsed_s=Quantity.exact(sum(b - a for _, a, b in own), "s", "monotonic clock"),
            energy_j=_sum(own),
        )
        for name, own in spans.items()
    ]


def _wasted(
    lost: list[Span], flop_by_window: Mapping[str, float], entries: list[EnergyEntry]
) -> Wasted:
    """Joules, FLOP and seconds of wasted stretches; no joules are told as those of the run are."""
    source = "ledger: after the last mark that was taken up again, and steps thrown away"
    if not lost:
        told = [entry.origin for entry in entries if entry.value is not None]
        weakest = max(told, key=lambda origin: origin.rank, default=Origin.ASSUMED)
        return nothing_wasted("ledger: nothing was done again", weakest)
    flop = sum(
        flop_by_window.get(row["name"], 0.0)
        for segment in {id(segment): segment for segment, _, _ in lost}.values()
        for row in segment.windows
        if is_lost(row, segment, lost)
    )
    return Wasted(
        energy_j=_sum(lost),
        model_flop=Quantity.exact(flop, "FLOP", source),
        elapsed_s=Quantity.exact(sum(stop - start for _, start, stop in lost), "s", source),
    )


def _clip(segment: Segment, row: Row) -> Span:
    """A window as a stretch of its segment."""
    return segment, max(row["m0"] / 1e9, segment.start_s), min(row["m1"] / 1e9, segment.stop_s)


def _synchronised(segments: list[Segment]) -> dict[str, str]:
    """What was called at the edges of the windows, so that queued work lies inside them."""
    told = {segment.header["sync"] for segment in segments if segment.header.get("sync")}
    return {"sync": ", ".join(sorted(told))} if told else {}


def _ends(segments: list[Segment]) -> list[str]:
    """A note for every segment that did not end by itself."""
    words = {
        "parent died": "the run was killed; metering ended in order",
        "lost": "run and sampler were killed: up to one interval is not counted",
    }
    return [
        f"segment {i + 1}: {words[segment.end]}"
        for i, segment in enumerate(segments)
        if segment.end in words
    ]


def _jumps(segments: list[Segment]) -> list[str]:
    """A note for every clock that jumped and every gap, with its cause."""
    return [
        f"segment {i + 1}: {row['why']} ({row['s']:+.0f} s)"
        for i, segment in enumerate(segments)
        for row in segment.jumps
    ]


def _damage(lines: list[int]) -> list[str]:
    """A note on the lines that could not be read."""
    if not lines:
        return []
    return [
        f"{len(lines)} damaged lines of the ledger were left out, first line {lines[0]}; "
        "counters are cumulative, so the joules between their neighbours count"
    ]


@dataclass(frozen=True)
class Snapshot:
    """Where a run stands.

    Attributes:
        elapsed_s: since the tracker opened.
        energy: joules so far in this process, all domains that may be added.
        power_w: mean watts over the last sampling interval.
    """

    elapsed_s: float
    energy: Quantity
    power_w: Quantity
