"""The phases of a step as a site sees them, and the watts of a chip in each."""

from __future__ import annotations

from collections.abc import Mapping

from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.power import activity_shares, activity_weights, chip_watts
from simulator.physics.step import Step

COMMUNICATION = ("tensor_parallel", "context_parallel", "expert_parallel", "data_parallel")

PHASES = ("compute", "communication", "bubble", "optimizer", "host")

PREFERRED = {
    "compute": ("compute", "optimizer", "communication", "bubble", "host"),
    "memory": ("optimizer", "compute", "communication", "bubble", "host"),
    "link": ("communication", "compute", "optimizer", "bubble", "host"),
    "wait": ("bubble", "host", "communication", "compute", "optimizer"),
}
"""Phases to which the time of an activity is assigned; each is filled before the next."""


PHASE_OF = dict.fromkeys(COMMUNICATION, "communication") | {
    "pipeline": "bubble",
    "optimizer": "optimizer",
    "host": "host",
}
"""The phase of a part of a step; all other parts compute."""


def phases(step: Step) -> dict[str, float]:
    """Seconds of a step by the names of `PHASES`; phases without time are left out."""
    sums = dict.fromkeys(PHASES, 0.0)
    for part, seconds in step.seconds.items():
        sums[PHASE_OF.get(part, "compute")] += float(seconds)
    return {name: seconds for name, seconds in sums.items() if seconds > 0}


def phase_watts(
    step: Step, seconds: Mapping[str, float], hardware: Hardware, constants: Constants
) -> dict[str, float]:
    """Watts of one chip in each phase of a step; their mean over the step is `chip_watts`.

    Idle 70 W, busy 700 W, 6 of 10 s compute, 4 s of bubble at a wait share of 0.3: 700 W and
    70 + 630 x 0.3 = 259 W, in the mean 524 W.

    Args:
        step: a single one, not arrays.
        seconds: of its phases.
        hardware: of the chip.
        constants: of the machine.
    """
    weighted_s = _weighted_seconds(step, seconds, hardware, constants)
    idle, above = float(hardware.idle_w), float(hardware.busy_w) - float(hardware.idle_w)
    limit = float(hardware.limit_w)
    watts = {
        phase: min(idle + above * weighted_s[phase] / seconds[phase], limit) for phase in seconds
    }
    # What the limit cuts off in one phase is drawn in the others, to keep the mean of the step.
    whole_s = sum(seconds.values())
    whole_j = float(chip_watts(step, hardware, constants)) * whole_s
    cut_j = whole_j - sum(watts[phase] * seconds[phase] for phase in seconds)
    if cut_j <= 1e-12 * whole_j:
        return watts
    room_j = sum((limit - watts[phase]) * seconds[phase] for phase in seconds)
    share = min(cut_j / room_j, 1.0)
    return {phase: watts[phase] + share * (limit - watts[phase]) for phase in seconds}


def _weighted_seconds(
    step: Step, seconds: Mapping[str, float], hardware: Hardware, constants: Constants
) -> dict[str, float]:
    """Seconds of each phase, weighted with the watts above idle of the activities in it.

    Arithmetic is assigned first, then waiting; links and memory fill the time that is left.
    """
    whole_s = sum(seconds.values())
    weights = activity_weights(hardware, constants)
    shares = activity_shares(step.compute_busy, step.memory_busy, step.link_busy)
    room_s, weighted_s = dict(seconds), dict.fromkeys(seconds, 0.0)
    for activity in ("compute", "wait", "link", "memory"):
        left_s = max(0.0, float(shares[activity])) * whole_s
        for phase in PREFERRED[activity]:
            assigned_s = min(left_s, room_s.get(phase, 0.0))
            if assigned_s > 0:
                room_s[phase] -= assigned_s
                weighted_s[phase] += float(weights[activity]) * assigned_s
                left_s -= assigned_s
    return weighted_s
