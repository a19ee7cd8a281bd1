"""The page of `simulator when`: starts with and without pauses, compared with a flat factor."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from energy.facts.grid_layouts import MARGINAL
from energy.quantity import Origin, Quantity
from energy.reports.terminal import table
from energy.units import J_PER_MWH, S_PER_DAY, S_PER_HOUR, change, duration, mass
from simulator.questions.when.answer import Schedule, difference, minute
from simulator.questions.when.starts import Outcomes

WHOLE_YEAR_S = 365 * S_PER_DAY

NOT_AVOIDED = (
    "average intensities attribute emissions; what a shift avoids depends on marginal intensities, "
    "which this series does not have"
)

MARGINAL_ONLY = (
    "the series is marginal: its grams say what a shift of this run would cause or avoid, and are "
    "no footprint of the run"
)


def page(schedule: Schedule, console: Console) -> None:
    """Print the best and the worst start, with and without pauses, and what a reader must know."""
    console.print(schedule.headline, style="bold")
    console.print()
    console.print(_starts(schedule))
    if schedule.zone_factor.value is not None:
        console.print(f"flat factor of the zone: {schedule.zone_g}", markup=False)
    console.print()
    for note in notes(schedule):
        console.print(note, markup=False)


def _starts(schedule: Schedule) -> Table:
    """The best start with pauses, the best and the worst without."""
    steady, paused, flat_g = schedule.steady, schedule.paused, schedule.flat_g
    starts = [("best start", steady, steady.best), ("worst start", steady, steady.worst)]
    if paused is not None:
        starts.insert(0, ("best start, with pauses", paused, paused.best))
    rows = table("", "start", "end", "CO2e", "80 % band", "against flat", "energy")
    for label, runs, place in starts:
        start_s, elapsed_s = float(runs.starts_s[place]), float(runs.elapsed_s[place])
        grams, joules = float(runs.co2_g[place]), float(runs.energy_j[place])
        low, high = (grams * end for end in schedule.co2_band)
        rows.add_row(
            label,
            minute(start_s),
            minute(start_s + elapsed_s),
            mass(grams),
            f"{mass(low)} to {mass(high)}",
            change(grams / flat_g - 1, 1) if flat_g else "",
            Quantity.exact(joules, "J", "", Origin.ASSUMED).human(),
        )
    return rows


def notes(schedule: Schedule) -> Iterator[str]:
    """What a reader must know before promising a saving."""
    if schedule.series.signal == MARGINAL:
        yield MARGINAL_ONLY
    series, between_starts = schedule.variation()
    yield (
        f"the intensity varies by {series:.0%} (one standard deviation); averaged over the "
        f"{duration(schedule.load.work_s)} of this run, it varies by {between_starts:.1%} between "
        "starts"
    )
    yield from _on_pauses(schedule)
    yield from _on_the_series(schedule)
    for name, quantity in schedule.assumed.items():
        yield f"assumed {name}: {quantity}; {quantity.source}"
    if schedule.series.signal != MARGINAL:
        yield NOT_AVOIDED


def _on_pauses(schedule: Schedule) -> Iterator[str]:
    """What pauses and curtailment cost, and what pauses save."""
    load, steady, paused = schedule.load, schedule.steady, schedule.paused
    if paused is not None and math.isfinite(schedule.threshold):
        lost_s = float(paused.elapsed_s[paused.best]) - load.work_s
        yield (
            f"pauses above {schedule.threshold:.3g} g/kWh cost {duration(lost_s)}; a paused "
            f"machine draws {load.paused_share:.0%} of its watts and needs "
            f"{duration(load.resume_s)} to resume"
        )
        steady_g = float(steady.co2_g[paused.best])
        if math.isfinite(steady_g) and steady_g:
            saved = 1 - float(paused.co2_g[paused.best]) / steady_g
            yield f"from the same start, a run with pauses emits {difference(saved)}"
    elif schedule.delay_s:
        yield (
            "no pause helps: its watts and its resumption emit more than the cleaner hours save"
            if paused is not None
            else "with pauses no start ends within the series"
        )
    if schedule.curtailed_s:
        lost_s = float(steady.elapsed_s[steady.best]) - load.work_s
        yield (
            f"curtailed: {schedule.curtailed_s / S_PER_HOUR:,.0f} h of the series, which make the "
            f"run {duration(lost_s)} longer from the best start"
        )


def _on_the_series(schedule: Schedule) -> Iterator[str]:
    """What the length of the series means for the answer."""
    span_s, grams = schedule.series.span_s, schedule.steady.co2_g.tolist()
    if abs(span_s / WHOLE_YEAR_S - 1) > 0.01:
        yield f"the flat factor is the mean of {span_s / S_PER_DAY:,.3g} days, not of a year"
    left_out = sum(math.isnan(each) for each in grams)
    if left_out:
        yield (
            f"{left_out:,} starts are left out: the run would end after the series (--repeat "
            "repeats it)"
        )


def as_json(schedule: Schedule) -> dict[str, Any]:
    """The answer with the names that scripts rely on; null where the run does not end."""
    series, between_starts = schedule.variation()
    steady, paused = schedule.steady, schedule.paused
    return {
        "name": schedule.name,
        "series": {
            "source": schedule.series.source,
            "signal": schedule.series.signal,
            "rows": len(schedule.series.g_per_kwh),
            "start": _iso(float(schedule.series.edges_s[0])),
            "days": schedule.series.span_s / S_PER_DAY,
            "mean_g_per_kwh": schedule.series.mean_g_per_kwh,
            "swing": series,
            "swing_over_the_run": between_starts,
        },
        "energy_mwh": schedule.energy_j.scaled(1 / J_PER_MWH, "MWh"),
        "work_days": schedule.load.work_s / S_PER_DAY,
        "flat_co2_g": schedule.flat_g,
        "zone_co2_g": schedule.zone_g,
        "co2_relative_band": schedule.co2_band,
        "best": _start(steady, steady.best, schedule.flat_g),
        "worst": _start(steady, steady.worst, schedule.flat_g),
        "paused": None if paused is None else _start(paused, paused.best, schedule.flat_g),
        "threshold_g_per_kwh": schedule.threshold if math.isfinite(schedule.threshold) else None,
        "curtailed_h": schedule.curtailed_s / S_PER_HOUR,
        "assumed": schedule.assumed,
        "notes": list(notes(schedule)),
        "starts": [
            _start(steady, place, schedule.flat_g)
            | {"co2_paused_g": None if paused is None else _or_null(float(paused.co2_g[place]))}
            for place in range(len(steady.starts_s))
        ],
    }


def _start(runs: Outcomes, place: int, flat_g: float) -> dict[str, Any]:
    """The run from one start."""
    start_s, grams = float(runs.starts_s[place]), _or_null(float(runs.co2_g[place]))
    elapsed_s = _or_null(float(runs.elapsed_s[place]))
    return {
        "start": _iso(start_s),
        "end": None if elapsed_s is None else _iso(start_s + elapsed_s),
        "co2_g": grams,
        "against_flat": grams / flat_g - 1 if grams is not None and flat_g else None,
        "energy_j": _or_null(float(runs.energy_j[place])),
        "elapsed_s": elapsed_s,
    }


def _or_null(value: float) -> float | None:
    return None if math.isnan(value) else value


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
