"""How the answer of `simulator failures` came about."""

from __future__ import annotations

import numpy as np

from energy.units import S_PER_HOUR, duration
from simulator.runs import terms as derivation
from simulator.runs.failures import LEAST_GOODPUT, Losses, between
from simulator.terms import Term, _leaf, product, total

STOPS = ("saving", "restarting", "waiting")


NOTHING = 1e-12
"""A share of the time below which a tree has no branch for it."""


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
