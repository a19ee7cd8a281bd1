"""The load that a run puts on its site: watts over one step and over the run, by boundary.

A chip's mean watts over a step come from its busy shares (`simulator.physics.power`). Here the same
busy seconds are laid into the parts of the step: arithmetic into the computing, what memory does
beyond it first into the optimiser, links first into the messages that nothing hides, waiting first
into the bubble of the pipeline. So the parts' watts have the step's mean exactly, and with it the
run has the joules of `simulator predict`. All chips are taken to be in the same part at once, which
is the worst that a site can see.

What draws beside the chips (hosts, switches, cooling) does not follow a step: it stays at its mean.
"""

from __future__ import annotations

from dataclasses import dataclass

from energy.arithmetic import multiply
from energy.footprint import facility
from energy.quantity import Boundary, Quantity
from simulator.facts.assumptions import scenario_assumptions
from simulator.physics.phases import phase_watts, phases
from simulator.physics.power import chip_watts
from simulator.physics.step import step
from simulator.runs.estimate import plan_of
from simulator.runs.failures import Job, Losses, losses
from simulator.runs.hosts import placed
from simulator.runs.predict import Prediction, goodput, predict
from simulator.runs.setup import machine_of
from simulator.runs.terms import power
from simulator.scenarios.scenario import Scenario
from simulator.terms import Term

SOURCE = "busy seconds of the step laid into its parts; mean watts of the run"


SHOWN = (Boundary.CHIP, Boundary.NODE, Boundary.IT, Boundary.FACILITY)


@dataclass(frozen=True, kw_only=True)
class Level:
    """A time in which the site draws the same.

    Attributes:
        name: what the run does.
        lasts_s: how long at a time.
        every_s: from one to the next, in the mean; the step's length for its parts.
        chip_w: watts of one chip, at the boundary of its watts.
        power_w: of all chips, by boundary.
    """

    name: str
    lasts_s: float
    every_s: float
    chip_w: float
    power_w: dict[Boundary, Quantity]


@dataclass(frozen=True, kw_only=True)
class LoadProfile:
    """What a site sees of a run.

    Attributes:
        name: of the scenario.
        chips: how many.
        prediction: whose joules and time these are.
        parts: of one step, in the order of `PHASES`; those that take time.
        events: saving a checkpoint, starting again after a failure.
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
    failures: Losses
    notes: tuple[str, ...]

    @property
    def step_s(self) -> float:
        """Seconds of one step."""
        return sum(part.lasts_s for part in self.parts)

    def peak_w(self, at: Boundary) -> Quantity:
        """The most that is drawn for longer than an edge."""
        return max((level.power_w[at] for level in self.parts), key=_value)

    def least_w(self, at: Boundary) -> Quantity:
        """The least that is drawn while the run goes on."""
        return min((level.power_w[at] for level in (*self.parts, *self.events)), key=_value)

    def tree(self) -> Term:
        """How the mean watts of the facility came about."""
        return power(self.chips, self.prediction.boundary, self.prediction.record)

    def ramp_w_per_s(self, at: Boundary, *, events: bool = False) -> Quantity:
        """The steepest change of load: within a step, or into an event, over the edge's time."""
        levels = self.events if events else self.parts
        low = min((level.power_w[at] for level in levels), key=_value)
        peak = self.peak_w(at)
        swing = peak.scaled(1 - _value(low) / _value(peak), source="peak less the least level")
        return multiply(swing, self.edge_s, "W/s", divide=True)


def load_profile(scenario: Scenario) -> LoadProfile:
    """The load of a scenario over a step and over the run.

    Raises:
        InputError: a key or value of its plan is not valid.
        InfeasibleError: no plan of it is possible or fits in memory.
        MissingDataError: nobody knows the watts of its chip.
    """
    prediction = predict(scenario)
    shape = scenario.model.resolve()
    hardware, constants, _ = machine_of(scenario, shape)
    plan, _ = plan_of(scenario, shape, hardware, constants)
    found = step(shape, plan, hardware, constants)
    mean_w = _means(scenario, prediction)
    chips, mean_chip_w = scenario.hardware.count, float(chip_watts(found, hardware, constants))
    seconds = phases(found)
    watts = phase_watts(found, seconds, hardware, constants)
    whole_s = sum(seconds.values())

    def part(name: str) -> Level:
        swing = (watts[name] - mean_chip_w) * chips
        power = {
            at: mean.scaled(1 + swing / _value(mean), source=SOURCE) for at, mean in mean_w.items()
        }
        return Level(
            name=name, lasts_s=seconds[name], every_s=whole_s, chip_w=watts[name], power_w=power
        )

    parts = [part(name) for name in seconds]
    job = Job(
        name=scenario.name,
        chips=chips,
        power_w=mean_w[Boundary.FACILITY],
        training_s=multiply(prediction.record.elapsed_s, goodput(scenario), "s"),
    )
    lost = losses(job, {})
    share, middle = lost.inputs["stalled_share"], lost.middle
    stalled = _value(share)
    times = (
        ("checkpoint", float(middle.save_s), lost.interval_s + float(middle.save_s)),
        ("restart", float(middle.restart_s), float(middle.mtbf_s)),
    )
    # For minutes the rest of the site follows, as `simulator failures` has it.
    still_w = {at: multiply(mean, share, "W") for at, mean in mean_w.items()}
    events = [
        Level(
            name=name,
            lasts_s=lasts_s,
            every_s=every_s,
            power_w=still_w,
            chip_w=stalled * mean_chip_w,
        )
        for name, lasts_s, every_s in times
    ]
    below = (1 - stalled) * sum(
        lost.shares[name].numbers()[0] for name in ("saving", "restarting", "waiting")
    )
    return LoadProfile(
        name=scenario.name,
        chips=chips,
        prediction=prediction,
        parts=parts,
        events=events,
        mean_w=mean_w,
        with_events_w={at: mean.scaled(1 - below) for at, mean in mean_w.items()},
        edge_s=scenario_assumptions()["power"]["edge_s"],
        failures=lost,
        notes=(*prediction.record.notes, *_notes(whole_s, mean_w[Boundary.FACILITY], below)),
    )


def _means(scenario: Scenario, prediction: Prediction) -> dict[Boundary, Quantity]:
    """Mean watts of all chips by boundary; the band of the time is in the joules, not in them."""
    chip_w = prediction.record.metrics["chip_power_w"]
    whole = chip_w.scaled(scenario.hardware.count, source="chips x mean watts of a step")
    steps = placed(scenario, prediction.boundary, chip_w).steps()
    raised = facility.raised({prediction.boundary: whole}, steps)
    return {at: raised[at] for at in SHOWN if at in raised}


def _notes(step_s: float, mean: Quantity, below: float) -> list[str]:
    """What must be known before an electrician relies on it."""
    edge_s = _value(scenario_assumptions()["power"]["edge_s"])
    found = [
        "all chips are taken to be in the same part of a step at once, the worst for the "
        "site; stages of a pipeline wait in turn and are smoother",
        "the mean counts checkpoints and restarts at the watts of training, as simulator "
        f"predict does; at what they draw it is {below:.1%} lower, {mean.origin}",
    ]
    if step_s < 3 * edge_s:
        found.append(
            f"a step lasts {step_s:.3g} s, no longer than the edges of its parts "
            f"({edge_s:g} s): the site sees the mean, and swings within a step are an "
            "upper end"
        )
    return found


def _value(quantity: Quantity) -> float:
    return quantity.numbers()[0]
