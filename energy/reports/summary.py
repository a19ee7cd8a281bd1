"""A record in a few lines: what was spent, at which boundary, and how much of it was measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from energy import units
from energy.calibration import apply as calibrated
from energy.facts.site import UNKNOWN_ZONE
from energy.quantity import Boundary, MissingPart, Origin, Quantity
from energy.record import Phase, RunRecord, Wasted, Window
from energy.reports import job


def headline(record: RunRecord) -> str:
    """The last line of every summary: joules at the innermost boundary with band and origins.

    '1.84 kWh ±6 % (95 %), chip boundary; 91 % measured, 9 % modelled; missing: cpu (permission)'
    """
    if not record.totals:
        return "no energy was metered or modelled"
    boundary, total = _innermost(record)
    return f"{with_band(total)}, {boundary} boundary; {by_origin(total)}"


def _innermost(record: RunRecord) -> tuple[Boundary, Quantity]:
    """The innermost boundary of which a record has a total, and that total."""
    boundary = min(record.totals, key=list(Boundary).index)
    return boundary, record.totals[boundary]


def closing(record: RunRecord) -> str:
    """What a run spent in the units of its bill, in one line.

    '0.0123 kWh (chip, measured), 0.027 kWh (facility, assumed), 5.90 g CO2e (80 %: 1.20 to 11.0 g;
    zone FRA), 3 min 20 s'. The CO2e is that of the facility by the average of the grid; where it is
    missing, the line states why.
    """
    ends: dict[Boundary, None] = {}
    if record.totals:
        ends = dict.fromkeys((_innermost(record)[0], *({Boundary.FACILITY} & record.totals.keys())))
    parts = [_kwh(at, record.totals[at]) for at in ends] or ["no kWh: nothing was read"]
    parts.append(_grams(record))
    if record.elapsed_s.value is not None:
        parts.append(units.duration(record.elapsed_s.value))
    return ", ".join(parts)


def _kwh(boundary: Boundary, joules: Quantity) -> str:
    if joules.value is None:
        return f"no kWh ({boundary}): {joules.source}"
    kwh = units.significant(joules.value / units.J_PER_KWH)
    return f"{kwh} kWh ({boundary}, {joules.origins})"


def _grams(record: RunRecord) -> str:
    """CO2e with its band and the grid; why there is none."""
    co2, zone = record.co2_location_g, record.labels.get("zone", UNKNOWN_ZONE)
    if co2.value is None:
        return f"no g CO2e: {co2.source}"
    grid = "any grid: name yours with --zone" if zone == UNKNOWN_ZONE else f"zone {zone}"
    return f"{co2.human()} CO2e ({co2.band()}; {grid})"


def with_band(total: Quantity) -> str:
    """Joules with their band and its coverage: '1.84 kWh ±6 % (95 %)'.

    Both ends if the band is wide or uneven: '18.2 J (95 %: 7.91 J to 40.0 J)'.
    """
    if total.value is None:
        return f"missing ({total.source})"
    value, low, high = total.numbers()
    down, up = value - low, high - value
    if value > 0 and max(down, up) < 0.3 * value and abs(up - down) < 0.01 * value:
        percent = units.significant(100 * up / value, 2)
        return f"{units.energy(value)} ±{percent} % ({total.percent})"
    ends = (units.energy(end, scale=value) for end in (low, high))
    return f"{units.energy(value)} ({total.percent}: {' to '.join(ends)})"


def by_origin(total: Quantity) -> str:
    """Shares of a total: '91 % measured, 7 % modelled, 2 % assumed; missing: cpu (permission)'."""
    shares = ", ".join(
        f"{100 * total.shares[origin]:.0f} % {origin}"
        for origin in Origin
        if total.shares.get(origin)
    )
    return (shares or "nothing read") + _missing(total)


def lines(record: RunRecord) -> list[str]:
    """The summary of a run, line by line; the headline last."""
    heading = []
    if record.elapsed_s.value is not None:
        heading.append(f"{record.name}: {units.duration(record.elapsed_s.value)}")
    # What is missing throughout stands in the headline.
    throughout = _innermost(record)[1].missing if record.totals else ()
    details = [
        *(
            f"{window.name} x {window.count:,}{_short(window)}: "
            f"{_spent(window.elapsed_s, window.energy_j, throughout)}"
            for window in record.windows
        ),
        *(
            f"phase {phase.name}: {_spent(phase.elapsed_s, phase.energy_j, throughout)}"
            for phase in _notable_phases(record)
        ),
        *_wasted(record.wasted, throughout),
        *job.lines(record),
        *(
            f"at the wall: {_with_origins(entry)}; {entry.source}"
            for entry in record.energy
            if entry.api == calibrated.API and entry.value is not None
        ),
        *(f"note: {note}" for note in record.notes),
    ]
    return [*heading, *(f"  {detail}" for detail in details), headline(record)]


def _short(window: Window) -> str:
    """How many windows were too short for the meters."""
    return f" ({window.unresolved:,} unresolved)" if window.unresolved else ""


NOTABLE = 0.005
"""Share of the run below which a phase is left out of the summary."""


def _notable_phases(record: RunRecord) -> list[Phase]:
    """The phases that take some time; none if there is only one, which says nothing new."""
    whole_s = record.elapsed_s.value or 1.0
    phases = [
        phase for phase in record.phases if (phase.elapsed_s.value or 0.0) / whole_s > NOTABLE
    ]
    return phases if len(phases) > 1 else []


def _wasted(wasted: Wasted, throughout: Sequence[MissingPart]) -> Iterator[str]:
    if wasted.elapsed_s.value:
        spent = _spent(wasted.elapsed_s, wasted.energy_j, throughout)
        yield f"wasted (repeated or discarded work): {spent}"


def _spent(elapsed_s: Quantity, energy_j: Quantity, throughout: Sequence[MissingPart]) -> str:
    """Time, joules with their origins, and what they leave out that the whole run does not."""
    spent = f"{units.duration(elapsed_s.value or 0.0)}, {_with_origins(energy_j)}"
    return spent if energy_j.value is None else spent + _missing(energy_j, throughout)


def _with_origins(energy: Quantity) -> str:
    """Joules with their band and origins."""
    return with_band(energy) if energy.value is None else f"{with_band(energy)} {energy.origins}"


def _missing(energy: Quantity, throughout: Sequence[MissingPart] = ()) -> str:
    """The parts that joules leave out: '; missing: cpu (permission)'.

    Args:
        energy: the joules.
        throughout: parts that need no word, because they are missing in the whole run.
    """
    parts = [str(part) for part in energy.missing if part not in throughout]
    return f"; missing: {', '.join(parts)}" if parts else ""
