"""The load that a run puts on its site: watts over one step and over the run, by boundary.

A chip's mean watts over a step come from its busy shares (`simulator.physics.power`). Here the same
busy seconds are assigned to the phases of the step: arithmetic to compute, what memory does beyond
it first to the optimizer, links first to exposed communication, waiting first to the pipeline
bubble. So the watts of the phases average to the step's mean exactly, and the run has the joules of
`simulator predict`. All chips are assumed to be in the same phase at once, the worst that a site
can see.

What draws beside the chips (hosts, switches, cooling) does not follow a step: it stays at its mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from energy.arithmetic import multiply
from energy.quantity import Boundary, Quantity
from simulator.facts.assumptions import scenario_assumptions
from simulator.kit.answer import Answer
from simulator.physics.phases import phase_watts, phases
from simulator.runs.estimate import Estimate
from simulator.runs.failures import FailureCosts, failure_costs
from simulator.runs.jobs import Job
from simulator.runs.predict import Prediction, predict
from simulator.runs.spend import mean_power_w
from simulator.scenarios.request import Target, scenario_of

SOURCE = "busy seconds of the step by phase; mean watts of the run"


SHOWN = (Boundary.CHIP, Boundary.NODE, Boundary.IT, Boundary.FACILITY)


@dataclass(frozen=True, kw_only=True)
class Level:
    """A stretch of time in which the site draws the same power.

    Attributes:
        name: what the run does.
        lasts_s: how long at a time.
        every_s: from the start of one to the next, on average; the step's length for its phases.
        chip_w: watts of one chip, at the boundary of its watts.
        power_w: of all chips, by boundary.
    """

    name: str
    lasts_s: float
    every_s: float
    chip_w: float
    power_w: dict[Boundary, Quantity]


@dataclass(frozen=True, kw_only=True, repr=False)
class LoadProfile(Answer):
    """What a site sees of a run.

    Attributes:
        name: of the scenario.
        chips: how many.
        prediction: whose joules and time these are.
        parts: phases of one step, in the order of `PHASES`; those that take time.
        events: saving a checkpoint, restarting after a failure.
        mean_w: joules of the run over its elapsed time, by boundary.
        with_events_w: the same if the events draw less, which the prediction leaves out.
        edge_s: seconds from one level to another.
        failures: the failures and checkpoints that were assumed.
        notes: what a reader must know.
    """

    name: str
    chips: int
    prediction: Prediction
    parts: list[Level]
    events: list[Level]
    mean_w: dict[Boundary, Quantity]
    with_events_w: dict[Boundary, Quantity]
    edge_s: Quantity
    failures: FailureCosts
    notes: tuple[str, ...]

    @property
    def step_s(self) -> float:
        """Seconds of one step."""
        return sum(part.lasts_s for part in self.parts)

    def peak_w(self, at: Boundary) -> Quantity:
        """The most that is drawn for longer than an edge."""
        return max((level.power_w[at] for level in self.parts), key=_value)

    def least_w(self, at: Boundary) -> Quantity:
        """The least that is drawn while the run is up."""
        return min((level.power_w[at] for level in (*self.parts, *self.events)), key=_value)

    @property
    def headline(self) -> str:
        """What is drawn at the widest boundary."""
        widest = list(self.mean_w)[-1]
        return (
            f"{self.name}: {self.mean_w[widest].human()} on average at the {widest}, "
            f"{self.peak_w(widest).human()} at the peak of a step, "
            f"{self.least_w(widest).human()} at least"
        )

    @property
    def panel_size(self) -> tuple[float, float]:
        """Inches of one panel."""
        return 8, 3.2

    def ramp_w_per_s(self, at: Boundary, *, events: bool = False) -> Quantity:
        """The steepest change of load within a step, or into an event, over the time of an edge."""
        levels = self.events if events else self.parts
        low = min((level.power_w[at] for level in levels), key=_value)
        peak = self.peak_w(at)
        swing = peak.scaled(1 - _value(low) / _value(peak), source="peak less the least level")
        return multiply(swing, self.edge_s, "W/s", divide=True)


def power(target: Target, *, overrides: Mapping[str, Any] | None = None) -> LoadProfile:
    """What a site sees of a run: megawatts over a step and the run, peak, least, ramp.

    Args:
        target: a scenario, a preset, a model of the catalog, or the path of a scenario file.
        overrides: other values by dotted key: {"hardware.count": 512}.

    Raises:
        InputError: a key or value of the scenario is not valid.
        InfeasibleError: no plan of it is possible or fits in memory.
        MissingDataError: the watts of its chip are not known.
    """
    return load_profile(predict(scenario_of(target, overrides=overrides)))


def load_profile(prediction: Prediction) -> LoadProfile:
    """The load of a predicted run over a step and over the run."""
    estimate, setup = prediction.estimate, prediction.setup
    setup.hardware.require_watts()
    powers = mean_power_w(prediction)
    mean_w = {boundary: powers[boundary] for boundary in SHOWN if boundary in powers}
    parts = _phases(estimate, mean_w)
    costs = failure_costs(
        Job(
            name=setup.scenario.name,
            chips=setup.chips,
            power_w=mean_w[Boundary.FACILITY],
            training_s=multiply(prediction.record.elapsed_s, setup.goodput, "s"),
        ),
        {},
    )
    stopped = sum(
        float(np.asarray(costs.middle_shares[name])) for name in ("saving", "restarting", "waiting")
    )
    below = (1 - _value(costs.inputs["stalled_share"])) * stopped
    return LoadProfile(
        name=setup.scenario.name,
        chips=setup.chips,
        prediction=prediction,
        parts=parts,
        events=_events(costs, estimate.chip_w, mean_w),
        mean_w=mean_w,
        with_events_w={at: mean.scaled(1 - below) for at, mean in mean_w.items()},
        edge_s=scenario_assumptions()["power"]["edge_s"],
        failures=costs,
        notes=(
            *prediction.record.notes,
            *_notes(sum(part.lasts_s for part in parts), mean_w[Boundary.FACILITY], below),
        ),
    )


def _phases(estimate: Estimate, mean_w: dict[Boundary, Quantity]) -> list[Level]:
    """The phases of a step, each with the watts that its chips add to or take from the mean."""
    setup = estimate.setup
    seconds = phases(estimate.step)
    watts = phase_watts(estimate.step, seconds, setup.hardware, setup.constants)
    whole_s = sum(seconds.values())

    def level(name: str) -> Level:
        swing = (watts[name] - estimate.chip_w) * setup.chips
        return Level(
            name=name,
            lasts_s=seconds[name],
            every_s=whole_s,
            chip_w=watts[name],
            power_w={
                at: mean.scaled(1 + swing / _value(mean), source=SOURCE)
                for at, mean in mean_w.items()
            },
        )

    return [level(name) for name in seconds]


def _events(costs: FailureCosts, chip_w: float, mean_w: dict[Boundary, Quantity]) -> list[Level]:
    """Checkpoints and restarts: for minutes the rest of the site follows the chips down."""
    stalled, job = costs.inputs["stalled_share"], costs.middle
    save_s = float(job.save_s)
    times = (
        ("checkpoint", save_s, costs.interval_s + save_s),
        ("restart", float(job.restart_s), float(job.mtbf_s)),
    )
    stalled_w = {at: multiply(mean, stalled, "W") for at, mean in mean_w.items()}
    return [
        Level(
            name=name,
            lasts_s=lasts_s,
            every_s=every_s,
            power_w=stalled_w,
            chip_w=_value(stalled) * chip_w,
        )
        for name, lasts_s, every_s in times
    ]


def _notes(step_s: float, mean: Quantity, below: float) -> list[str]:
    """What must be known before an electrician relies on it."""
    edge_s = _value(scenario_assumptions()["power"]["edge_s"])
    notes = [
        "all chips are assumed to be in the same phase of a step at once, the worst for the "
        "site; stages of a pipeline wait in turn and are smoother",
        "the mean counts checkpoints and restarts at the watts of training, as simulator "
        f"predict does; at what they draw it is {below:.1%} lower, {mean.origin}",
    ]
    if step_s < 3 * edge_s:
        notes.append(
            f"a step lasts {step_s:.3g} s, no longer than the edges of its phases "
            f"({edge_s:g} s): the site sees the mean, and swings within a step are an "
            "upper end"
        )
    return notes


def _value(quantity: Quantity) -> float:
    return quantity.numbers()[0]
