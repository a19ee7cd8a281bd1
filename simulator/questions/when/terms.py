"""How the answer of `simulator when` came about."""

from __future__ import annotations

import math

from energy.units import J_PER_KWH
from simulator.questions.when.answer import Schedule
from simulator.questions.when.starts import Outcome
from simulator.runs import terms as derivation
from simulator.terms import Term, _leaf, product


def of_schedule(found: Schedule) -> dict[str, Term]:
    """CO2e of the best start, with pauses and without, of the worst, and at the flat factor."""
    plain, paused = found.plain, found.paused
    rows = {"best start": (plain, plain.best), "worst start": (plain, plain.worst)}
    if paused is not None:
        rows = {"best start, with pauses": (paused, paused.best)} | rows
    trees = {name: _started(found, *row) for name, row in rows.items()}
    mean = _leaf("mean of the series", found.series.mean_g_per_kwh, "g/kWh", found.series.source)
    return trees | {"flat factor": _grams(_energy(found), mean)}


def _started(found: Schedule, runs: Outcome, place: int) -> Term:
    """Grams of one start."""
    joules, grams = float(runs.energy_j[place]), float(runs.co2_g[place])
    whole_j = found.energy_j.numbers()[0]
    energy = _energy(found)
    if not math.isclose(joules, whole_j, rel_tol=1e-9):
        more = _leaf(
            "joules with pauses / without",
            joules / whole_j,
            "1",
            "paused watts and resumptions, simulator.questions.when.starts",
        )
        energy = product("facility energy with pauses", "J", energy, more)
    mean = _leaf(
        "intensity while it draws",
        grams / joules * J_PER_KWH,
        "g/kWh",
        f"weighted by energy over its hours; {found.series.source}",
    )
    return _grams(energy, mean)


def _energy(found: Schedule) -> Term:
    return product(
        "facility energy",
        "J",
        Term("facility power", found.job.power_w),
        Term("time of the work", found.job.training_s),
    )


def _grams(energy: Term, intensity: Term) -> Term:
    return product(
        "CO2e", "g", energy, intensity, over=(derivation.exact("joules a kWh", J_PER_KWH, "J/kWh"),)
    )
