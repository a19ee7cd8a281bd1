"""What failures cost a job, with bands.

The checkpoint interval is chosen once, from the middle values, as a team has to choose it; the
band then says what happens when the failures turn out otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from energy.errors import InfeasibleError, InputError, nearest
from energy.quantity import Origin, Quantity
from energy.shape import Number
from energy.units import S_PER_HOUR
from simulator.facts.assumptions import failure_assumptions
from simulator.physics.failures import PARTS, Failures, daly_s, fewest_spares, young_s
from simulator.runs.jobs import Job
from simulator.terms import draw, quantiles

Values = dict[str, Number]


DRAWS = 4000


ENOUGH = 1e-3
"""Share of the time spent waiting for chips that is accepted, in 9 of 10 draws, where nobody says
how many spares there are."""


LEAST_GOODPUT = 1e-6


@dataclass(frozen=True, kw_only=True)
class FailureCosts:
    """What failures cost a job.

    The bands are drawn when they are first read.

    Attributes:
        job: what is trained.
        inputs: what is assumed of failures, by the names of `failures.toml`.
        middle: the failures at the middle of every band.
        interval_s: training between checkpoints that the rest is computed with.
        chosen: the interval is the best one, not the user's.
    """

    job: Job
    inputs: dict[str, Quantity]
    middle: Failures
    interval_s: float
    chosen: bool

    @cached_property
    def middle_shares(self) -> Values:
        """Parts of the elapsed time, at the middle of every band."""
        return dict(self.middle.shares(self.interval_s))

    @cached_property
    def shares(self) -> dict[str, Quantity]:
        """Parts of the elapsed time, by the names of `PARTS`."""
        draws = self.draws.shares(self.interval_s)
        source = "simulator.physics.failures"
        return {name: between(self.middle_shares[name], draws[name], "1", source) for name in PARTS}

    @property
    def goodput(self) -> Quantity:
        """Training over elapsed time."""
        return self.shares["training"]

    @property
    def elapsed_s(self) -> Quantity:
        """Seconds of the whole job."""
        return self._spent["elapsed_s"]

    @property
    def energy_j(self) -> Quantity:
        """Facility joules of the whole job and its spares."""
        return self._spent["energy_j"]

    @property
    def lost_j(self) -> Quantity:
        """Those of the joules that trained nothing."""
        return self._spent["lost_j"]

    @cached_property
    def draws(self) -> Failures:
        """The failures with every assumption drawn from its band."""
        return _failures(self.job.chips, self._drawn, self.middle.spares, self.middle.unit_chips)

    @cached_property
    def _drawn(self) -> Values:
        return _draws(self.inputs, DRAWS)

    @cached_property
    def _spent(self) -> dict[str, Quantity]:
        """Elapsed seconds and joules, in the middle and over the draws."""
        job = self.job
        if job.training_s.value is None or job.power_w.value is None:
            reason = job.training_s.source if job.training_s.value is None else job.power_w.source
            return {
                "elapsed_s": Quantity.absent("s", reason),
                "energy_j": Quantity.absent("J", reason),
                "lost_j": Quantity.absent("J", reason),
            }
        generator = np.random.default_rng(1)
        spare_chips = self.middle.spares * self.middle.unit_chips / job.chips
        drawn = (draw(job.training_s, generator, DRAWS), draw(job.power_w, generator, DRAWS))
        middle = _joules(
            self.middle_shares,
            _middles(self.inputs),
            job.training_s.value,
            job.power_w.value,
            spare_chips,
        )
        draws = _joules(self.draws.shares(self.interval_s), self._drawn, *drawn, spare_chips)
        how = f"facility watts by what the job does; spares draw too; {DRAWS:,} draws"
        return {
            "elapsed_s": between(middle[0], draws[0], "s", "training time / goodput"),
            "energy_j": between(middle[1], draws[1], "J", how),
            "lost_j": between(middle[2], draws[2], "J", f"joules that trained nothing: {how}"),
        }

    @property
    def intervals_s(self) -> dict[str, float]:
        """The best interval by three methods."""
        save_s, mtbf_s = self.middle.save_s, self.middle.mtbf_s
        return {
            "Young 1974, first order": float(young_s(save_s, mtbf_s)),
            "Daly 2006, higher order": float(daly_s(save_s, mtbf_s)),
            "exact": float(self.middle.best_interval_s()),
        }


def failure_costs(
    job: Job,
    values: Mapping[str, float | None],
    *,
    spares: int | None = None,
    unit_chips: int = 1,
    interval_s: float | None = None,
) -> FailureCosts:
    """What failures cost a job.

    Args:
        job: what is trained.
        values: that replace those of `failures.toml`, exactly, by its names; None replaces none.
        spares: units of spare chips; by default, as many as are enough (`ENOUGH`).
        unit_chips: chips that leave the job together.
        interval_s: seconds of training between checkpoints; by default, the best.

    Raises:
        InputError: a name or a value is not valid.
        InfeasibleError: the job would make no progress.
    """
    inputs = failure_inputs(values)
    middle = _failures(job.chips, _middles(inputs), spares or 0, unit_chips)
    chosen = interval_s is None
    if interval_s is None:
        # Checkpoints that cost nothing would be written all the time: a second is often enough.
        interval_s = max(1.0, float(middle.best_interval_s()))
    if not 0 < interval_s < float("inf"):
        raise InputError("expected an interval above 0", f"{interval_s:g}")
    if replace(middle, repair_s=0.0).goodput(interval_s) < LEAST_GOODPUT:
        raise InfeasibleError(
            "expected a job that makes progress",
            f"a failure every {middle.mtbf_s:,.0f} s, checkpoints every {interval_s:,.0f} s",
            "write checkpoints faster or more often, or use fewer chips",
        )
    if spares is None:
        # Spares are bought for the bad year, not for the average one.
        draws = _failures(job.chips, _draws(inputs, DRAWS), 0, unit_chips)
        load = quantiles(np.asarray(draws.repair_s / draws.mtbf_s), 0.9)[0]
        middle = replace(middle, spares=fewest_spares(load, ENOUGH))
    return FailureCosts(job=job, inputs=inputs, middle=middle, interval_s=interval_s, chosen=chosen)


def _middles(inputs: dict[str, Quantity]) -> Values:
    """The middle of every assumption."""
    return {name: quantity.numbers()[0] for name, quantity in inputs.items()}


def _joules(
    shares: Values, inputs: Values, training_s: Number, power_w: Number, spare_chips: float
) -> tuple[Number, Number, Number]:
    """Elapsed seconds, joules, and joules that trained nothing."""
    took_s = training_s / np.maximum(shares["training"], LEAST_GOODPUT)
    stalled = shares["saving"] + shares["restarting"] + shares["waiting"]
    level = shares["training"] + shares["rework"] + inputs["stalled_share"] * stalled
    joules = power_w * took_s * (level + inputs["spare_share"] * spare_chips)
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


def failure_inputs(values: Mapping[str, float | None]) -> dict[str, Quantity]:
    """The assumptions of `failures.toml`, some replaced by exact values of the user.

    Args:
        values: by the names of `failures.toml`; None keeps the assumption.

    Raises:
        InputError: a name or a value is not valid.
    """
    inputs = dict(failure_assumptions())
    for name, value in values.items():
        if name not in inputs:
            raise InputError("expected a figure of failures", name, nearest(name, inputs))
        if value is None:
            continue
        if not 0 <= value < float("inf") or (name == "mtbf_chip_h" and value == 0):
            raise InputError(f"expected {name} as a number of 0 or more", f"{value:g}")
        inputs[name] = Quantity.exact(value, inputs[name].unit, "set by the user", Origin.ASSUMED)
    return inputs


def _draws(inputs: dict[str, Quantity], draws: int) -> Values:
    generator = np.random.default_rng(0)
    drawn: Values = {}
    for name, quantity in inputs.items():
        values = draw(quantity, generator, draws) if quantity.value else np.zeros(draws)
        # A share above 1 would be a chip that draws more when it is stalled than when it trains.
        drawn[name] = np.minimum(values, 1.0) if quantity.unit == "1" else values
    return drawn


def between(value: Number, draws: Number, unit: str, source: str) -> Quantity:
    """A value with the band that holds 80 % of its draws; an assumption, as its inputs are."""
    low, high = quantiles(np.asarray(draws), 0.1, 0.9)
    middle = float(value)
    return Quantity(
        value=middle,
        low=min(low, middle),
        high=max(high, middle),
        unit=unit,
        origin=Origin.ASSUMED,
        source=source,
    )
