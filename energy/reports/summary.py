"""A record in a few lines: what was spent, at which boundary, and how much of that was measured."""

from __future__ import annotations

from energy import units
from energy.calibration import apply as calibrated
from energy.quantity import Boundary, Origin, Quantity
from energy.record import Phase, RunRecord


def headline(record: RunRecord) -> str:
    """Joules at the innermost boundary with band and split, the line that every summary ends with.

    '1.84 kWh ±6 %, chip boundary; 91 % measured, 7 % modelled; missing: cpu (permission)'
    """
    if not record.totals:
        return "no joule was metered or modelled"
    at = min(record.totals, key=list(Boundary).index)
    return f"{told(record.totals[at])}, {at} boundary; {split(record.totals[at])}"


def told(total: Quantity) -> str:
    """Joules with their band: '1.84 kWh ±6 %', or both ends where the band is wide or uneven."""
    if total.value is None:
        return f"missing ({total.source})"
    value, low, high = total.numbers()
    down, up = value - low, high - value
    if value > 0 and max(down, up) < 0.3 * value and abs(up - down) < 0.01 * value:
        return f"{units.energy(value)} ±{units.significant(100 * up / value, 2)} %"
    return f"{units.energy(value)} ({units.energy(low)} to {units.energy(high)})"


def split(total: Quantity) -> str:
    """'91 % measured, 7 % modelled, 2 % assumed; missing: cpu (permission)'."""
    shares = ", ".join(
        f"{100 * total.shares[origin]:.0f} % {origin}"
        for origin in Origin
        if total.shares.get(origin)
    )
    gone = f"; missing: {', '.join(map(str, total.missing))}" if total.missing else ""
    return (shares or "nothing read") + gone


def lines(record: RunRecord) -> list[str]:
    """The summary of a run, a line each; the headline last."""
    found = []
    if record.elapsed_s.value is not None:
        found.append(f"{record.name}: {units.duration(record.elapsed_s.value)}")
    for window in record.windows:
        found.append(
            f"  {window.name} x {window.count:,}: "
            f"{units.duration(window.elapsed_s.value or 0.0)}, {_with_origin(window.energy_j)}"
        )
    # One phase says nothing that the whole does not say.
    long = [phase for phase in record.phases if _share(phase, record) > SHORT]
    for phase in long if len(long) > 1 else ():
        found.append(
            f"  phase {phase.name}: {units.duration(phase.elapsed_s.value or 0.0)}, "
            f"{_with_origin(phase.energy_j)}"
        )
    if record.wasted.elapsed_s.value:
        found.append(
            f"  wasted, done again or thrown away: "
            f"{units.duration(record.wasted.elapsed_s.value)}, "
            f"{_with_origin(record.wasted.energy_j)}"
        )
    for entry in record.energy:
        if entry.api == calibrated.API and entry.value is not None:
            found.append(f"  at the wall: {_with_origin(entry)}; {entry.source}")
    return [*found, *(f"  note: {note}" for note in record.notes), headline(record)]


SHORT = 0.005
"""Share of the run below which a phase is left out of the lines."""


def _share(phase: Phase, record: RunRecord) -> float:
    return (phase.elapsed_s.value or 0.0) / (record.elapsed_s.value or 1.0)


def _with_origin(energy: Quantity) -> str:
    """Joules and the word that says where they come from."""
    return f"{told(energy)} {energy.origins}" if energy.value is not None else told(energy)
