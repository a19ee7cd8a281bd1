"""How the answers of the questions came about, as trees: what `--explain` prints of each verb.

A run is told from its step to its dollars; what befalls it (failures, the hour, the place) from
there on. Bands that were drawn by Monte Carlo stay those of the answer: in its tree the middle is
computed from the children, the band is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from energy.quantity import Boundary, Origin, Quantity
from energy.units import J_PER_KWH, S_PER_HOUR, duration
from simulator import derivation, spend
from simulator.crossover import NAMES, Crossover, Point
from simulator.explain import Term, product, total
from simulator.losses import LEAST_GOODPUT, Losses, between
from simulator.predict import predict
from simulator.regions import Moved, Place
from simulator.scenario import Scenario
from simulator.schedule import Schedule
from simulator.spend import Spending
from simulator.when import Outcome

STOPS = ("saving", "restarting", "waiting")
NOTHING = 1e-12
"""A share of the time below which a tree has no branch for it."""


def of_run(scenario: Scenario) -> dict[str, Term]:
    """What a predicted run takes, by the names of budgets, in SI units."""
    found, chips = predict(scenario), scenario.hardware.count
    record, at = found.record, found.boundary
    (co2,) = found.trees()
    return {
        "days": found.elapsed,
        "mwh": derivation.facility(found.energy, at, record),
        "mw": derivation.power(chips, at, record),
        "usd": derivation.money(chips, found.elapsed, found.energy, at, record),
        "co2": co2,
    }


def of_failures(found: Losses) -> list[Term]:
    """Time between failures, and joules of a job that fails; its time where watts are missing."""
    middle, chips = found.middle, found.job.chips
    mtbf = product(
        "time between failures of the job",
        "s",
        Term("chip-hours between failures", found.inputs["mtbf_chip_h"]),
        derivation.exact("seconds an hour", S_PER_HOUR, "s/h"),
        over=(derivation.chips_of(chips),),
    )
    elapsed = Term(
        "elapsed time",
        found.elapsed_s,
        "training time / goodput",
        (Term("training time", found.job.training_s), _goodput(found)),
        divisors=1,
    )
    parts = [Term(f"share of {name}", found.shares[name]) for name in ("training", "rework")]
    stops = [
        Term(f"share of {name}", found.shares[name])
        for name in STOPS
        if found.shares[name].numbers()[0] > NOTHING
    ]
    if stops:
        parts.append(
            product(
                "watts of stops over those of training",
                "1",
                Term("stalled share", found.inputs["stalled_share"]),
                total("share of stops", *stops),
            )
        )
    if middle.spares:
        idle = middle.spares * middle.unit_chips / chips
        parts.append(
            product(
                "watts of spares over those of the job",
                "1",
                Term("spare share", found.inputs["spare_share"]),
                _leaf("spare chips / chips", idle, "1", "of the job"),
            )
        )
    level = total("mean watts over those of training", *parts)
    watts = Term("facility power while it trains", found.job.power_w)
    formula = f"{watts.name} x {elapsed.name} x {level.name}"
    energy = Term("facility energy", found.energy_j, formula, (watts, elapsed, level))
    return [mtbf, elapsed] if found.energy_j.value is None else [mtbf, energy]


def of_schedule(found: Schedule) -> dict[str, Term]:
    """CO2e of the best start, with pauses and without, of the worst, and at the flat factor."""
    plain, paused = found.plain, found.paused
    rows = {"best start": (plain, plain.best), "worst start": (plain, plain.worst)}
    if paused is not None:
        rows = {"best start, with pauses": (paused, paused.best)} | rows
    trees = {name: _started(found, *row) for name, row in rows.items()}
    mean = _leaf("mean of the series", found.series.mean_g_per_kwh, "g/kWh", found.series.source)
    return trees | {"flat factor": _grams(_energy(found), mean)}


def of_moved(own: Sequence[Term], moved: Moved) -> Term:
    """Gross CO2e of a run at a place.

    Args:
        own: how the run's own came about, its CO2e last; none of a record that was read.
        moved: the run there.
    """
    record = moved.record
    if not own:
        at = min(record.totals, key=list(Boundary).index)
        return derivation.carbon(Term(f"{at} energy", record.totals[at]), at, record, "location")
    energy, at = own[-1].children[0], Boundary.FACILITY
    order = list(Boundary)
    while energy.name == f"{at} energy" and at in derivation.STEPS and energy.children:
        energy, at = energy.children[0], order[order.index(at) - 1]
    return derivation.carbon(energy, at, record, "location")


def of_place(place: Place) -> list[Term]:
    """The known factors of a place with their sources."""
    return [
        Term(name, quantity)
        for name, quantity in (
            ("gross", place.location),
            ("net", place.market),
            ("PUE", place.pue),
            ("water of the site", place.wue),
            ("water of the grid", place.ewif),
        )
        if quantity.value is not None
    ]


def of_crossover(found: Crossover, spending: Callable[[Scenario], Spending]) -> dict[str, Term]:
    """The quotient at the values next to where it passes 1, or at both ends where it never does."""
    known = [point for point in found.points if point.runs is not None]
    picked = [
        min(known, key=lambda point: abs(math.log(point.value / value)))
        for value in found.crossings
    ] or [known[0], known[-1]]
    told = {point.value: point for point in picked}
    return {
        f"{found.key} = {value:.4g}": _quotient(found, point, spending)
        for value, point in told.items()
    }


def _quotient(found: Crossover, point: Point, spending: Callable[[Scenario], Spending]) -> Term:
    assert point.runs is not None
    assert point.ratio is not None
    parts = []
    for one in point.runs:
        how = spending(one)
        tree = (
            of_run(one)[found.of]
            if how is spend.predicted
            else Term(NAMES[found.of], how(one).by_budget()[found.of])
        )
        parts.append(replace(tree, name=f"{tree.name} of {one.name}"))
    low, high = point.low or point.ratio, point.high or point.ratio
    quantity = Quantity(
        value=point.ratio,
        low=low,
        high=high,
        unit="1",
        origin=Origin.MODELLED,
        source="band: spread of the laws of loss",
    )
    return Term(
        f"{NAMES[found.of]}, sparse / dense",
        quantity,
        " / ".join(part.name for part in parts),
        tuple(parts),
        divisors=1,
    )


def _goodput(found: Losses) -> Term:
    """Goodput = time with chips x training between checkpoints / what that takes."""
    middle, interval_s = found.middle, found.interval_s
    shares, drawn = middle.shares(interval_s), found.drawn().shares(interval_s)
    takes, takes_drawn = (
        interval_s * (1 - np.asarray(each["waiting"])) / np.maximum(each["training"], LEAST_GOODPUT)
        for each in (shares, drawn)
    )
    how = (
        "M e^(R/M) (e^((tau + delta)/M) - 1): Daly 2006, eq. 13; "
        f"M {duration(float(middle.mtbf_s))} between failures, R {middle.restart_s:g} s, "
        f"delta {middle.save_s:g} s"
    )
    with_chips = between(
        1 - np.asarray(shares["waiting"]),
        1 - np.asarray(drawn["waiting"]),
        "1",
        f"Erlang's loss formula, {middle.spares} spare units",
    )
    tau = _leaf(
        "training between checkpoints (tau)",
        interval_s,
        "s",
        "the best, exactly" if found.chosen else "given",
    )
    parts = (
        Term("share of the time with enough chips", with_chips),
        tau,
        Term("time that it takes with failures", between(takes, takes_drawn, "s", how)),
    )
    return Term(
        "goodput",
        found.goodput,
        f"{parts[0].name} x {tau.name} / {parts[2].name}",
        parts,
        divisors=1,
    )


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
            "paused watts and resumptions, simulator.when",
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


def _leaf(name: str, value: float, unit: str, source: str) -> Term:
    return Term(name, Quantity.exact(value, unit, source, Origin.ASSUMED))
