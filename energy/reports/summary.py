"""A record in a few lines: what was spent, at which boundary, and how much of it was measured."""

from __future__ import annotations

from collections.abc import Iterator

from energy import units
from energy.calibration import apply as calibrated
from energy.quantity import Boundary, Origin, Quantity
from energy.record import Phase, RunRecord, Wasted, Window


def headline(record: RunRecord) -> str:
    """The last line of every summary: joules at the innermost boundary with band and origins.

    '1.84 kWh ±6 % (95 %), chip boundary; 91 % measured, 9 % modelled; missing: cpu (permission)'
    """
    if not record.totals:
        return "no energy was metered or modelled"
    boundary = min(record.totals, key=list(Boundary).index)
    total = record.totals[boundary]
    return f"{with_band(total)}, {boundary} boundary; {by_origin(total)}"


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
    return f"{units.energy(value)} ({total.percent}: {units.energy(low)} to {units.energy(high)})"


def by_origin(total: Quantity) -> str:
    """Shares of a total: '91 % measured, 7 % modelled, 2 % assumed; missing: cpu (permission)'."""
    shares = ", ".join(
        f"{100 * total.shares[origin]:.0f} % {origin}"
        for origin in Origin
        if total.shares.get(origin)
    )
    missing = f"; missing: {', '.join(map(str, total.missing))}" if total.missing else ""
    return (shares or "nothing read") + missing


def lines(record: RunRecord) -> list[str]:
    """The summary of a run, line by line; the headline last."""
    heading = []
    if record.elapsed_s.value is not None:
        heading.append(f"{record.name}: {units.duration(record.elapsed_s.value)}")
    details = [
        *(
            f"{window.name} x {window.count:,}{_short(window)}: "
            f"{_spent(window.elapsed_s, window.energy_j)}"
            for window in record.windows
        ),
        *(
            f"phase {phase.name}: {_spent(phase.elapsed_s, phase.energy_j)}"
            for phase in _notable_phases(record)
        ),
        *_wasted(record.wasted),
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


def _wasted(wasted: Wasted) -> Iterator[str]:
    if wasted.elapsed_s.value:
        yield f"wasted (repeated or discarded work): {_spent(wasted.elapsed_s, wasted.energy_j)}"


def _spent(elapsed_s: Quantity, energy_j: Quantity) -> str:
    """Time, and joules with their origins."""
    return f"{units.duration(elapsed_s.value or 0.0)}, {_with_origins(energy_j)}"


def _with_origins(energy: Quantity) -> str:
    """Joules with their band and origins."""
    return with_band(energy) if energy.value is None else f"{with_band(energy)} {energy.origins}"
