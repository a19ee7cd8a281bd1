"""How the costs of failures were computed: what `simulator failures --explain` prints."""

from __future__ import annotations

import numpy as np

from energy.units import S_PER_HOUR, duration
from simulator.runs.failures import LEAST_GOODPUT, FailureCosts, between
from simulator.runs.terms import chips_term, exact
from simulator.terms import Term, assumed, product, total

STOPS = ("saving", "restarting", "waiting")

NEGLIGIBLE = 1e-12
"""A share of the time below which a tree has no branch for it."""


def terms(costs: FailureCosts) -> dict[str, Term]:
    """Time between failures, and energy of the job; its elapsed time where watts are missing."""
    elapsed = _elapsed(costs)
    energy = elapsed if costs.energy_j.value is None else _energy(costs, elapsed)
    return {tree.name: tree for tree in (_time_between_failures(costs), energy)}


def _time_between_failures(costs: FailureCosts) -> Term:
    """Seconds between failures of the job: chip-hours between failures / chips."""
    return product(
        "time between failures of the job",
        "s",
        Term("chip-hours between failures", costs.inputs["mtbf_chip_h"]),
        exact("seconds an hour", S_PER_HOUR, "s/h"),
        over=(chips_term(costs.job.chips),),
    )


def _elapsed(costs: FailureCosts) -> Term:
    """Elapsed time: training time / goodput."""
    return Term(
        "elapsed time",
        costs.elapsed_s,
        "training time / goodput",
        (Term("training time", costs.job.training_s), _goodput(costs)),
        divisors=1,
    )


def _energy(costs: FailureCosts, elapsed: Term) -> Term:
    """Facility energy: watts while it trains x elapsed time x mean level of the watts."""
    factors = (
        Term("facility power while it trains", costs.job.power_w),
        elapsed,
        total("mean watts over those of training", *_levels(costs)),
    )
    formula = " x ".join(factor.name for factor in factors)
    return Term("facility energy", costs.energy_j, formula, factors)


def _levels(costs: FailureCosts) -> list[Term]:
    """What adds up to the mean watts: training, work done again, stops and spares."""
    middle = costs.middle
    levels = [Term(f"share of {name}", costs.shares[name]) for name in ("training", "rework")]
    stops = [
        Term(f"share of {name}", costs.shares[name])
        for name in STOPS
        if costs.shares[name].numbers()[0] > NEGLIGIBLE
    ]
    if stops:
        levels.append(
            product(
                "watts of stops over those of training",
                "1",
                Term("stalled share", costs.inputs["stalled_share"]),
                total("share of stops", *stops),
            )
        )
    if middle.spares:
        spare_chips = middle.spares * middle.unit_chips / costs.job.chips
        levels.append(
            product(
                "watts of spares over those of the job",
                "1",
                Term("spare share", costs.inputs["spare_share"]),
                assumed("spare chips / chips", spare_chips, "1", "of the job"),
            )
        )
    return levels


def _goodput(costs: FailureCosts) -> Term:
    """Goodput: time with enough chips x training between checkpoints / elapsed time of that."""
    middle, interval_s = costs.middle, costs.interval_s
    shares, draws = costs.middle_shares, costs.draws.shares(interval_s)
    elapsed_s, elapsed_draws = (
        interval_s * (1 - np.asarray(each["waiting"])) / np.maximum(each["training"], LEAST_GOODPUT)
        for each in (shares, draws)
    )
    daly = (
        "M e^(R/M) (e^((tau + delta)/M) - 1): Daly 2006, eq. 13; "
        f"M {duration(float(middle.mtbf_s))} between failures, R {middle.restart_s:g} s, "
        f"delta {middle.save_s:g} s"
    )
    with_chips = between(
        1 - np.asarray(shares["waiting"]),
        1 - np.asarray(draws["waiting"]),
        "1",
        f"Erlang's loss formula, {middle.spares} spare units",
    )
    parts = (
        Term("share of the time with enough chips", with_chips),
        assumed(
            "training between checkpoints (tau)",
            interval_s,
            "s",
            "the exact best interval" if costs.chosen else "set by the user",
        ),
        Term("elapsed time of that, with failures", between(elapsed_s, elapsed_draws, "s", daly)),
    )
    formula = f"{parts[0].name} x {parts[1].name} / {parts[2].name}"
    return Term("goodput", costs.goodput, formula, parts, divisors=1)
