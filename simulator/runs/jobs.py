"""A training job as it would be without failures: of a scenario, or of a few numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from energy.arithmetic import multiply
from energy.errors import InputError
from energy.quantity import Origin, Quantity
from energy.units import S_PER_DAY
from simulator.facts.assumptions import goodput
from simulator.runs import spend
from simulator.runs.assumed import left_open
from simulator.runs.sides import Basis, RunTarget, choose_basis, read
from simulator.runs.spend import spend_of
from simulator.scenarios.scenario import Scenario

MOST = 1_000_000
"""The most days, and the most megawatts, that a run may be said to take."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A training job, as it would be if nothing failed.

    Attributes:
        name: in words.
        chips: that it needs.
        training_s: seconds of training without failures; may be missing.
        power_w: facility watts while it trains; may be missing.
        left_open: what a prediction assumed of it, in a line.
    """

    name: str
    chips: int
    training_s: Quantity
    power_w: Quantity
    left_open: str = ""


def requested_job(
    target: RunTarget | None = None,
    *,
    chips: int | None = None,
    days: float | None = None,
    mw: float | None = None,
    basis: str = "auto",
    overrides: Mapping[str, Any] | None = None,
    without_failures: bool = True,
) -> Job:
    """The job that a question is about: of a scenario, or of a few numbers instead.

    Args:
        target: a scenario, a preset, a model of the catalog, or the path of a scenario file.
        chips: without a scenario, the chips that the job needs.
        days: without a scenario, days of training.
        mw: without a scenario, megawatts of the facility.
        basis: auto, published or predicted.
        overrides: values of the scenario by dotted key.
        without_failures: take out the failures that a scenario's goodput includes.

    Raises:
        InputError: both or neither are named, or the target is a record.
    """
    numbers = [value for value in (chips, days, mw) if value is not None]
    if (target is None) == (not numbers):
        raise InputError(
            "expected a scenario, or its numbers instead (--chips, --days, --mw)",
            "neither" if target is None else "both",
        )
    if target is None:
        return Job(
            name="a run" if chips is None else f"{chips:,} chips",
            chips=1 if chips is None else chips,
            training_s=_stated(days, S_PER_DAY, "s", "days"),
            power_w=_stated(mw, 1e6, "W", "mw"),
        )
    runs = read([target], overrides)
    (scenario,) = runs
    if not isinstance(scenario, Scenario):
        raise InputError("expected a scenario", "a record", "its goodput is already included")
    return job_of(scenario, choose_basis(runs, basis), without_failures=without_failures)


def job_of(scenario: Scenario, basis: Basis, *, without_failures: bool = True) -> Job:
    """The job of a scenario.

    Args:
        scenario: what is trained.
        basis: published or predicted.
        without_failures: take out the failures that its goodput includes.
    """
    prediction = None if basis == "published" else spend.Predicted().prediction(scenario)
    spent = spend.published(scenario)(scenario) if prediction is None else spend_of(prediction)
    productive = goodput(scenario.run.goodput, scenario.hardware.count)
    return Job(
        name=scenario.name,
        chips=scenario.hardware.count,
        training_s=multiply(spent.elapsed_s, productive, "s")
        if without_failures
        else spent.elapsed_s,
        power_w=spent.power_w,
        left_open="" if prediction is None else left_open(prediction.estimate),
    )


def _stated(value: float | None, scale: float, unit: str, option: str) -> Quantity:
    if value is None:
        return Quantity.absent(unit, f"name it with --{option}")
    if not 0 < value <= MOST:
        raise InputError(f"expected --{option} above 0, up to {MOST:,}", f"{value:g}")
    return Quantity.exact(value * scale, unit, f"--{option}", Origin.ASSUMED)
