"""How the grams of a schedule were computed: what `simulator when --explain` prints."""

from __future__ import annotations

import math

from energy.units import J_PER_KWH
from simulator.questions.when.answer import Schedule
from simulator.questions.when.starts import Outcomes
from simulator.runs.terms import exact
from simulator.terms import Term, assumed, product


def terms(schedule: Schedule) -> dict[str, Term]:
    """CO2e of the best start, with pauses and without, of the worst, and at the flat factor."""
    steady, paused, series = schedule.steady, schedule.paused, schedule.series
    rows = {"best start": (steady, steady.best), "worst start": (steady, steady.worst)}
    if paused is not None:
        rows = {"best start, with pauses": (paused, paused.best)} | rows
    trees = {name: _of_start(schedule, *row) for name, row in rows.items()}
    mean = assumed("mean of the series", series.mean_g_per_kwh, "g/kWh", series.source)
    return trees | {"flat factor": _grams(_energy(schedule), mean)}


def _of_start(schedule: Schedule, runs: Outcomes, start: int) -> Term:
    """Grams of one start."""
    joules, grams = float(runs.energy_j[start]), float(runs.co2_g[start])
    steady_j = schedule.energy_j.numbers()[0]
    energy = _energy(schedule)
    if not math.isclose(joules, steady_j, rel_tol=1e-9):
        ratio = assumed(
            "joules with pauses / without",
            joules / steady_j,
            "1",
            "watts of pauses and resumptions, simulator.questions.when.starts",
        )
        energy = product("facility energy with pauses", "J", energy, ratio)
    intensity = assumed(
        "intensity while it draws power",
        grams / joules * J_PER_KWH,
        "g/kWh",
        f"of the hours of the run, weighted by energy; {schedule.series.source}",
    )
    return _grams(energy, intensity)


def _energy(schedule: Schedule) -> Term:
    """Facility energy without pauses: power x time of the work."""
    power = Term("facility power", schedule.job.power_w)
    return product("facility energy", "J", power, Term("time of the work", schedule.job.training_s))


def _grams(energy: Term, intensity: Term) -> Term:
    """CO2e: energy x intensity."""
    joules_a_kwh = exact("joules a kWh", J_PER_KWH, "J/kWh")
    return product("CO2e", "g", energy, intensity, over=(joules_a_kwh,))
