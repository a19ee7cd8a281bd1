"""The page of `simulator when`: each start against the flat factor, and how little that saves."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from energy.quantity import Origin, Quantity
from energy.reports.words import console, human, table
from energy.units import J_PER_MWH, S_PER_DAY, S_PER_HOUR, duration, mass
from simulator.questions.when.answer import WHOLE_YEAR_S, Schedule
from simulator.questions.when.starts import Outcome

NOT_AVOIDED = (
    "average intensities tell whose emissions these are; what a shift avoids is marginal, and "
    "this series does not say it"
)


def page(found: Schedule) -> None:
    """Print the best and the worst start, pauses, and what a reader must know."""
    out = console()
    out.print(headline(found), style="bold")
    out.print()
    rows = table("", "start", "end", "CO2e", "80 % band", "against flat", "energy")
    for label, start_s, elapsed_s, grams, joules in _rows(found):
        low, high = (grams * end for end in found.co2_band)
        rows.add_row(
            label,
            _day(start_s),
            _day(start_s + elapsed_s),
            mass(grams),
            f"{mass(low)} to {mass(high)}",
            f"{grams / found.flat_g - 1:+.1%}" if found.flat_g else "",
            human(Quantity.exact(joules, "J", "", Origin.ASSUMED)),
        )
    out.print(rows)
    if found.yearly.value is not None:
        out.print(f"flat factor of the zone: {found.yearly_g}", markup=False)
    out.print()
    for text in notes(found):
        out.print(text, markup=False)


def headline(found: Schedule) -> str:
    """The answer in a line."""
    plain, flat = found.plain, found.flat_g
    saved = 1 - float(plain.co2_g[plain.best]) / flat if flat else 0.0
    text = (
        f"{found.name}: the best of {len(plain.starts_s):,} starts "
        f"({_day(float(plain.starts_s[plain.best]))}) emits {saved:.1%} less than the flat "
        "factor"
    )
    if found.paused is not None and flat:
        paused = 1 - float(found.paused.co2_g[found.paused.best]) / flat
        text += f"; with pauses {paused:.1%}"
    return text


def notes(found: Schedule) -> Iterator[str]:
    """What a reader must know before promising a saving."""
    raw, averaged = found.swings()
    work_s = found.load.work_s
    yield (
        f"the series swings by {raw:.0%} (one standard deviation); between starts of this run, "
        f"which averages over {duration(work_s)}, {averaged:.1%} of it is left"
    )
    if found.paused is not None and math.isfinite(found.threshold):
        best = found.paused.best
        lost_s = float(found.paused.elapsed_s[best]) - work_s
        yield (
            f"pauses above {found.threshold:.3g} g/kWh cost {duration(lost_s)}; a paused "
            f"machine draws {found.load.paused_share:.0%} of its watts and needs "
            f"{duration(found.load.resume_s)} to go on"
        )
        plain_g = float(found.plain.co2_g[best])
        if math.isfinite(plain_g) and plain_g:
            saved = 1 - float(found.paused.co2_g[best]) / plain_g
            yield f"from the same start, pauses save {saved:.1%}"
    elif found.delay_s:
        yield (
            "no pause helps: its watts and its resumption emit more than the cleaner hours save"
            if found.paused is not None
            else "with that stretch no start ends within the series"
        )
    if found.curtailed_s:
        best = found.plain.best
        lost_s = float(found.plain.elapsed_s[best]) - work_s
        yield (
            f"curtailed: {found.curtailed_s / S_PER_HOUR:,.0f} h of the series; the best start "
            f"takes {duration(lost_s)} longer for them"
        )
    if abs(found.series.span_s / WHOLE_YEAR_S - 1) > 0.01:
        yield (
            f"the flat factor is the mean of {found.series.span_s / S_PER_DAY:,.3g} days, "
            "not of a year"
        )
    fitted = sum(not math.isnan(grams) for grams in found.plain.co2_g.tolist())
    if fitted < len(found.plain.starts_s):
        yield (
            f"{len(found.plain.starts_s) - fitted:,} starts were left out: the run would end "
            "after the series (--repeat lets it come back)"
        )
    for name, quantity in found.assumed.items():
        yield f"assumed {name}: {quantity}; {quantity.source}"
    yield NOT_AVOIDED


def as_json(found: Schedule) -> dict[str, Any]:
    """The answer with the names that scripts rely on; null where the run does not fit."""
    raw, averaged = found.swings()
    plain, paused = found.plain, found.paused
    return {
        "name": found.name,
        "series": {
            "source": found.series.source,
            "rows": len(found.series.g_per_kwh),
            "start": _iso(float(found.series.edges_s[0])),
            "days": found.series.span_s / S_PER_DAY,
            "mean_g_per_kwh": found.series.mean_g_per_kwh,
            "swing": raw,
            "swing_over_the_run": averaged,
        },
        "energy_mwh": found.energy_j.scaled(1 / J_PER_MWH, "MWh"),
        "work_days": found.load.work_s / S_PER_DAY,
        "flat_co2_g": found.flat_g,
        "zone_co2_g": found.yearly_g,
        "co2_relative_band": found.co2_band,
        "best": _start(plain, plain.best, found),
        "worst": _start(plain, plain.worst, found),
        "paused": None if paused is None else _start(paused, paused.best, found),
        "threshold_g_per_kwh": found.threshold if math.isfinite(found.threshold) else None,
        "curtailed_h": found.curtailed_s / S_PER_HOUR,
        "assumed": found.assumed,
        "notes": list(notes(found)),
        "starts": [
            _start(plain, place, found)
            | {"co2_paused_g": None if paused is None else _known(float(paused.co2_g[place]))}
            for place in range(len(plain.starts_s))
        ],
    }


def _rows(found: Schedule) -> Iterator[tuple[str, float, float, float, float]]:
    plain, paused = found.plain, found.paused
    places = [("best start", plain, plain.best), ("worst start", plain, plain.worst)]
    if paused is not None:
        places.insert(0, ("best start, with pauses", paused, paused.best))
    for label, runs, place in places:
        yield (
            label,
            float(runs.starts_s[place]),
            float(runs.elapsed_s[place]),
            float(runs.co2_g[place]),
            float(runs.energy_j[place]),
        )


def _start(runs: Outcome, place: int, found: Schedule) -> dict[str, Any]:
    grams, start_s = _known(float(runs.co2_g[place])), float(runs.starts_s[place])
    elapsed_s = _known(float(runs.elapsed_s[place]))
    return {
        "start": _iso(start_s),
        "end": None if elapsed_s is None else _iso(start_s + elapsed_s),
        "co2_g": grams,
        "against_flat": grams / found.flat_g - 1 if grams is not None and found.flat_g else None,
        "energy_j": _known(float(runs.energy_j[place])),
        "elapsed_s": elapsed_s,
    }


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
