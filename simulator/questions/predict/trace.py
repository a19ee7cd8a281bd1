"""A predicted step as a trace: a process a stage, with rows of passes, work and messages."""

from __future__ import annotations

import math

from energy.trace import Trace
from simulator.questions.predict.timeline import Stage, timeline
from simulator.runs.predict import Prediction


def trace(prediction: Prediction) -> Trace:
    """The step of a predicted run; without watts of the chip it has no joules."""
    estimate = prediction.estimate
    laid_out = timeline(estimate)
    drawn = Trace(
        {
            "of": f"one predicted step of {estimate.setup.scenario.name}",
            "origin": "modelled",
            "order": laid_out.note,
            "joules": f"of all chips of a stage, at the {estimate.boundary} boundary",
        }
    )
    for stage in laid_out.stages:
        _add(drawn, stage, laid_out.step_s, str(estimate.boundary))
    return drawn


def _add(drawn: Trace, stage: Stage, step_s: float, boundary: str) -> None:
    """A stage: its step, passes, parts, and joules so far."""
    joules, watts_before, energy = 0.0, None, f"energy, {boundary}"
    drawn.slice((stage.name, "step"), "step", 0.0, step_s)
    for each in stage.passes:
        drawn.slice((stage.name, "passes"), each.name, each.begin_s, each.end_s)
    for stretch in stage.stretches:
        row = "communication" if stretch.is_message else "compute"
        watts = stretch.watts * stage.chips
        spent = watts * (stretch.end_s - stretch.begin_s)
        known = not math.isnan(spent)
        facts = {"energy_j": spent, "chip_w": stretch.watts} if known else {}
        drawn.slice((stage.name, row), stretch.part, stretch.begin_s, stretch.end_s, facts)
        if not known:
            continue
        if watts != watts_before:
            drawn.counter(stage.name, f"power, {boundary}", "W", stretch.begin_s, watts)
            drawn.counter(stage.name, energy, "J", stretch.begin_s, joules)
        joules, watts_before = joules + spent, watts
    if watts_before is not None:
        drawn.counter(stage.name, f"power, {boundary}", "W", step_s, 0.0)
        drawn.counter(stage.name, energy, "J", step_s, joules)
