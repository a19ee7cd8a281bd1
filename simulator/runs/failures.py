"""What failures cost one job, with bands: from a scenario or a few numbers to an answer.

The checkpoint interval is chosen once, from the middle values, as a team has to choose it; the
band then says what happens when the failures turn out otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from energy.arithmetic import multiply
from energy.errors import InfeasibleError, InputError, nearest
from energy.quantity import Origin, Quantity
from energy.shape import Number
from energy.units import S_PER_DAY, S_PER_HOUR
from simulator.facts.assumptions import failure_assumptions
from simulator.physics.failures import PARTS, Failures, daly_s, fewest_spares, young_s
from simulator.runs import spend
from simulator.runs.predict import goodput
from simulator.runs.sides import Basis, choose_basis, read
from simulator.scenarios.scenario import Scenario
from simulator.terms import draw

Values = dict[str, Number]


DRAWS = 4000


ENOUGH = 1e-3
"""Waiting that is let be, in 9 of 10 draws, when nobody says how many spares: 0.1 % of the time."""


LEAST_GOODPUT = 1e-6


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is trained when nothing fails.

    Attributes:
        name: in words.
        chips: that it needs.
        training_s: seconds of training, without failures where they are asked about; missing is
            allowed.
        power_w: facility watts while it trains; missing is allowed.
    """

    name: str
    chips: int
    training_s: Quantity
    power_w: Quantity


@dataclass(frozen=True, kw_only=True)
class Losses:
    """What failures cost a job.

    Attributes:
        job: what is trained.
        inputs: what was assumed of failures, by the names of `failures.toml`.
        middle: the failures at the middle of every band.
        interval_s: training between checkpoints that the rest is computed with.
        chosen: the interval is the best one, not the user's.
        goodput: training over elapsed time.
        shares: parts of the elapsed time.
        elapsed_s: of the whole job.
        energy_j: facility joules of the whole job and its spares.
        lost_j: those of them that trained nothing.
    """

    job: Job
    inputs: dict[str, Quantity]
    middle: Failures
    interval_s: float
    chosen: bool
    goodput: Quantity
    shares: dict[str, Quantity]
    elapsed_s: Quantity
    energy_j: Quantity
    lost_j: Quantity

    @property
    def intervals_s(self) -> dict[str, float]:
        """The best interval by three methods."""
        save_s, mtbf_s = self.middle.save_s, self.middle.mtbf_s
        return {
            "Young 1974, first order": float(young_s(save_s, mtbf_s)),
            "Daly 2006, higher order": float(daly_s(save_s, mtbf_s)),
            "exact": float(self.middle.best_interval_s()),
        }

    def drawn(self, draws: int = DRAWS) -> Failures:
        """The failures with every assumption drawn from its band."""
        return _failures(
            self.job.chips, _draws(self.inputs, draws), self.middle.spares, self.middle.unit_chips
        )


def job_of_name(
    name: str | None,
    basis: str,
    overrides: dict[str, Any],
    chips: int | None = None,
    days: float | None = None,
    mw: float | None = None,
    *,
    freed: bool = True,
) -> Job:
    """The job of a command line: of a scenario, or of a few numbers.

    Args:
        name: of a preset or a file.
        basis: auto, published or predicted.
        overrides: laid over the scenario.
        chips: without a name.
        days: without a name.
        mw: without a name.
        freed: of the failures that a scenario's goodput holds.

    Raises:
        InputError: both or neither are given, or the name is that of a record.
    """
    numbers = [option for option in (chips, days, mw) if option is not None]
    if (name is None) == (not numbers):
        raise InputError(
            "expected a scenario, or its numbers instead (--days, --mw)",
            "both" if name else "neither",
        )
    if name is None:
        return Job(
            name="a run" if chips is None else f"{chips:,} chips",
            chips=1 if chips is None else chips,
            training_s=_stated(days, S_PER_DAY, "s", "days"),
            power_w=_stated(mw, 1e6, "W", "mw"),
        )
    found = read([name], overrides)
    (scenario,) = found
    if not isinstance(scenario, Scenario):
        raise InputError("expected a scenario", "a record", "its goodput is in it already")
    return job_of(scenario, choose_basis(found, basis), freed=freed)


def job_of(scenario: Scenario, basis: Basis, *, freed: bool = True) -> Job:
    """The job of a scenario.

    Args:
        scenario: what is trained.
        basis: published or predicted.
        freed: its time is freed of the failures that its goodput holds.
    """
    spent = (spend.published(scenario) if basis == "published" else spend.predicted)(scenario)
    return Job(
        name=scenario.name,
        chips=scenario.hardware.count,
        training_s=multiply(spent.elapsed_s, goodput(scenario), "s") if freed else spent.elapsed_s,
        power_w=spent.power_w,
    )


def losses(
    job: Job,
    given: dict[str, float],
    *,
    spares: int | None = None,
    unit_chips: int = 1,
    interval_s: float | None = None,
) -> Losses:
    """What failures cost a job.

    Args:
        job: what is trained.
        given: values that replace those of `failures.toml`, as they are, by its names.
        spares: units of spare chips; as many as are enough when not given.
        unit_chips: chips that leave the job together.
        interval_s: seconds of training between checkpoints; the best when not given.

    Raises:
        InputError: a name or a value is not valid.
        InfeasibleError: the job would not come forward.
    """
    inputs = failure_assumptions() | {name: _given(name, value) for name, value in given.items()}
    middles: Values = {name: quantity.numbers()[0] for name, quantity in inputs.items()}
    middle = _failures(job.chips, middles, spares or 0, unit_chips)
    chosen = interval_s is None
    if interval_s is None:
        # Checkpoints that cost nothing are written all the time: a second is often enough.
        interval_s = max(1.0, float(middle.best_interval_s()))
    if not 0 < interval_s < float("inf"):
        raise InputError("expected an interval above 0", f"{interval_s:g}")
    if replace(middle, repair_s=0.0).goodput(interval_s) < LEAST_GOODPUT:
        raise InfeasibleError(
            "expected a job that comes forward",
            f"a failure every {middle.mtbf_s:,.0f} s, checkpoints every {interval_s:,.0f} s",
            "write checkpoints faster or oftener, or use fewer chips",
        )
    drawn = _draws(inputs, DRAWS)
    found = _failures(job.chips, drawn, middle.spares, unit_chips)
    if spares is None:
        # Spares are bought for the bad year, not for the average one.
        load = float(np.quantile(found.repair_s / found.mtbf_s, 0.9))
        middle = replace(middle, spares=fewest_spares(load, ENOUGH))
        found = replace(found, spares=middle.spares)
    at_middle, at_drawn = middle.shares(interval_s), found.shares(interval_s)
    shares = {
        name: between(at_middle[name], at_drawn[name], "1", "simulator.physics.failures")
        for name in PARTS
    }
    return Losses(
        job=job,
        inputs=inputs,
        middle=middle,
        interval_s=interval_s,
        chosen=chosen,
        goodput=shares["training"],
        shares=shares,
        **_spent(job, (at_middle, at_drawn), (middles, drawn), middle),
    )


def _spent(
    job: Job,
    shares: tuple[Values, Values],
    inputs: tuple[Values, Values],
    middle: Failures,
) -> dict[str, Quantity]:
    """Elapsed seconds and joules, in the middle and over the draws."""
    if job.training_s.value is None or job.power_w.value is None:
        reason = job.training_s.source if job.training_s.value is None else job.power_w.source
        return {
            "elapsed_s": Quantity.absent("s", reason),
            "energy_j": Quantity.absent("J", reason),
            "lost_j": Quantity.absent("J", reason),
        }
    generator = np.random.default_rng(1)
    spare_chips = middle.spares * middle.unit_chips / job.chips
    drawn = (draw(job.training_s, generator, DRAWS), draw(job.power_w, generator, DRAWS))
    at_middle = _joules(shares[0], inputs[0], job.training_s.value, job.power_w.value, spare_chips)
    at_drawn = _joules(shares[1], inputs[1], *drawn, spare_chips)
    how = f"facility watts by what the job does; spares draw too; {DRAWS:,} draws"
    return {
        "elapsed_s": between(at_middle[0], at_drawn[0], "s", "training time / goodput"),
        "energy_j": between(at_middle[1], at_drawn[1], "J", how),
        "lost_j": between(at_middle[2], at_drawn[2], "J", f"joules that trained nothing: {how}"),
    }


def _joules(
    shares: Values, given: Values, training_s: Number, power_w: Number, spare_chips: float
) -> tuple[Number, Number, Number]:
    """Elapsed seconds, joules, and joules that trained nothing."""
    took_s = training_s / np.maximum(shares["training"], LEAST_GOODPUT)
    stalled = shares["saving"] + shares["restarting"] + shares["waiting"]
    level = shares["training"] + shares["rework"] + given["stalled_share"] * stalled
    joules = power_w * took_s * (level + given["spare_share"] * spare_chips)
    return took_s, joules, joules - power_w * training_s


def _failures(chips: int, values: Values, spares: int, unit: int) -> Failures:
    return Failures(
        chips=chips,
        spares=spares,
        unit_chips=unit,
        save_s=values["save_s"],
        mtbf_chip_s=values["mtbf_chip_h"] * S_PER_HOUR,
        restart_s=values["restart_s"],
        repair_s=values["repair_h"] * S_PER_HOUR,
    )


def _stated(value: float | None, scale: float, unit: str, option: str) -> Quantity:
    if value is None:
        return Quantity.absent(unit, f"name it with --{option}")
    if not 0 < value < float("inf"):
        raise InputError(f"expected --{option} above 0", f"{value:g}")
    return Quantity.exact(value * scale, unit, f"--{option}", Origin.ASSUMED)


def _given(name: str, value: float) -> Quantity:
    known = failure_assumptions()
    if name not in known:
        raise InputError("expected a figure of failures", name, nearest(name, known))
    if not value >= 0 or value == float("inf") or (name == "mtbf_chip_h" and value == 0):
        raise InputError(f"expected {name} as a number of 0 or more", f"{value:g}")
    return Quantity.exact(value, known[name].unit, "given", Origin.ASSUMED)


def _draws(inputs: dict[str, Quantity], draws: int) -> Values:
    generator = np.random.default_rng(0)
    found: Values = {}
    for name, quantity in inputs.items():
        values = draw(quantity, generator, draws) if quantity.value else np.zeros(draws)
        # A share above 1 would be a chip that draws more when it is stalled than when it trains.
        found[name] = np.minimum(values, 1.0) if quantity.unit == "1" else values
    return found


def between(value: Number, drawn: Number, unit: str, source: str) -> Quantity:
    """A value with the band that holds 80 % of its draws; as weak as the assumptions it has."""
    low, high = (float(end) for end in np.quantile(np.atleast_1d(drawn), [0.1, 0.9]))
    middle = float(value)
    return Quantity(
        value=middle,
        low=min(low, middle),
        high=max(high, middle),
        unit=unit,
        origin=Origin.ASSUMED,
        source=source,
    )
