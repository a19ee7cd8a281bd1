"""What failures cost a training job: the answer of `simulator failures`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from energy.errors import InputError
from energy.units import duration
from simulator.kit.answer import Answer
from simulator.runs import failures as runs
from simulator.runs.failures import failure_costs
from simulator.runs.jobs import requested_job
from simulator.runs.sides import RunTarget


@dataclass(frozen=True, kw_only=True, repr=False)
class FailureCosts(Answer, runs.FailureCosts):
    """What failures cost a job, as an answer that can be printed, drawn and explained."""

    @property
    def left_open(self) -> str:
        """What was assumed of the run."""
        return self.job.left_open

    @property
    def headline(self) -> str:
        """The goodput of the job, and how often it fails."""
        value, low, high = self.goodput.numbers()
        return (
            f"{self.job.name}: goodput {value:.1%} ({low:.1%} to {high:.1%}, "
            f"{self.goodput.origin}); a failure every {duration(float(self.middle.mtbf_s))} "
            f"on {self.job.chips:,} chips"
        )


def failures(
    target: RunTarget | None = None,
    *,
    chips: int | None = None,
    days: float | None = None,
    mw: float | None = None,
    mtbf: float | None = None,
    save: float | None = None,
    restart: float | None = None,
    repair: float | None = None,
    spares: int | None = None,
    together: int = 1,
    interval: float | None = None,
    basis: str = "auto",
    overrides: Mapping[str, Any] | None = None,
) -> FailureCosts:
    """What failures cost: goodput, the best checkpoint interval, spare chips and lost energy.

        failures("glam-64b-64e", save=30)
        failures(chips=16_384, days=54, mw=25, mtbf=50_700)

    Args:
        target: a scenario, a preset, a model of the catalog, or the path of a scenario file.
        chips: without a scenario, the chips that the job needs.
        days: without a scenario, days of training if nothing failed.
        mw: without a scenario, megawatts of the facility.
        mtbf: chip-hours between failures that stop the job.
        save: seconds that a checkpoint takes.
        restart: seconds from a failure to the next step.
        repair: hours until a failed unit is a spare again.
        spares: units of spare chips; as many as are enough by default.
        together: chips that one failure takes out, the chips of a unit.
        interval: seconds of training between checkpoints; the best interval by default.
        basis: auto, published or predicted: where time and watts of a scenario come from.
        overrides: values of the scenario by dotted key.

    Raises:
        InputError: neither a scenario nor chips are named, or both, or a value is not valid.
        InfeasibleError: the job would make no progress.
    """
    if target is None and chips is None:
        raise InputError("expected a scenario, or its numbers instead (--chips, --days, --mw)")
    job = requested_job(target, chips=chips, days=days, mw=mw, basis=basis, overrides=overrides)
    values = {"mtbf_chip_h": mtbf, "save_s": save, "restart_s": restart, "repair_h": repair}
    costs = failure_costs(job, values, spares=spares, unit_chips=together, interval_s=interval)
    return FailureCosts(
        job=costs.job,
        inputs=costs.inputs,
        middle=costs.middle,
        interval_s=costs.interval_s,
        chosen=costs.chosen,
    )
