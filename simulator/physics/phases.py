"""The phases of a step as a site sees them, and the watts of a chip in each."""

from __future__ import annotations

from collections.abc import Mapping

from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.power import chip_watts
from simulator.physics.step import Step

COMMUNICATION = ("tensor_parallel", "context_parallel", "expert_parallel", "data_parallel")


PHASES = ("compute", "communication", "bubble", "optimizer", "host")


PREFERRED = {
    "compute": ("compute", "optimizer", "communication", "bubble", "host"),
    "memory": ("optimizer", "compute", "communication", "bubble", "host"),
    "link": ("communication", "compute", "optimizer", "bubble", "host"),
    "wait": ("bubble", "host", "communication", "compute", "optimizer"),
}
"""Parts of a step that an activity fills, the first as far as it goes."""


def phases(found: Step) -> dict[str, float]:
    """Seconds of a step by the names of `PHASES`; what takes none is left out."""
    other = {"pipeline": "bubble", "optimizer": "optimizer", "host": "host"}
    other |= dict.fromkeys(COMMUNICATION, "communication")
    sums = dict.fromkeys(PHASES, 0.0)
    for part, seconds in found.seconds.items():
        sums[other.get(part, "compute")] += float(seconds)
    return {name: seconds for name, seconds in sums.items() if seconds > 0}


def phase_watts(
    found: Step, seconds: Mapping[str, float], hardware: Hardware, constants: Constants
) -> dict[str, float]:
    """Watts of one chip in each part of a step; their mean over the step is `chip_watts`.

    Idle 70 W, busy 700 W, 6 of 10 s compute, 4 s of bubble at a wait share of 0.3: 700 W and
    70 + 630 x 0.3 = 259 W, in the mean 524 W.

    Args:
        found: the step (numbers).
        seconds: of its parts.
        hardware: of the chip.
        constants: of the machine.
    """
    whole_s = sum(seconds.values())
    compute = min(float(found.compute_busy), 1.0)
    memory = min(float(found.memory_busy), 1 - compute)
    link = min(float(found.link_busy), 1 - compute - memory)
    busy_s = {
        "compute": compute,
        "memory": memory,
        "link": link,
        "wait": max(0.0, 1 - compute - memory - link),
    }
    weights = {
        "compute": 1.0,
        "memory": float(constants.memory_power_share),
        "link": float(constants.link_power_share),
        "wait": float(constants.wait_share),
    }
    room, drawn = dict(seconds), dict.fromkeys(seconds, 0.0)
    # Arithmetic first, then waiting: what memory and links do beyond them fills what is left.
    for activity in ("compute", "wait", "link", "memory"):
        left = busy_s[activity] * whole_s
        for part in PREFERRED[activity]:
            taken = min(left, room.get(part, 0.0))
            if taken > 0:
                room[part] -= taken
                drawn[part] += weights[activity] * taken
                left -= taken
    idle, above = float(hardware.idle_w), float(hardware.busy_w) - float(hardware.idle_w)
    limit = float(hardware.limit_w)
    watts = {part: min(idle + above * drawn[part] / seconds[part], limit) for part in seconds}
    # What the limit cuts off one part is drawn in the others: the mean of the step has it.
    whole_j = float(chip_watts(found, hardware, constants)) * whole_s
    cut_j = whole_j - sum(watts[part] * seconds[part] for part in seconds)
    if cut_j <= 1e-12 * whole_j:
        return watts
    space_j = sum((limit - watts[part]) * seconds[part] for part in seconds)
    share = min(cut_j / space_j, 1.0)
    return {part: watts[part] + share * (limit - watts[part]) for part in seconds}
