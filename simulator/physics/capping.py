"""A step of chips whose watts are capped: clocks fall, arithmetic slows, memory and links do not.

Watts above idle of arithmetic and of waiting go with clock^a: switching draws C V^2 f, and the
voltage falls with the clock, so a is between 1 and 3 (Weiser et al., OSDI 1994). A cap acts on the
mean of tenths of a second, which here is the mean of the step.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from energy.shape import Number
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.phases import COMMUNICATION
from simulator.physics.power import activity_shares, activity_weights, chip_watts
from simulator.physics.step import Step

CLOCKED = ("compute", "wait")
"""Activities whose watts above idle follow the clock."""

UNCLOCKED = (*COMMUNICATION, "sharding", "optimizer", "host")
"""Parts of a step that take as long at any clock: messages, memory and the host."""


def slowed(step: Step, clock: float) -> Step:
    """A step at a share of the full clock, 0 to 1: what arithmetic takes is divided by it.

    10 s, 6 s of them arithmetic, at half the clock: 16 s. Waiting for other stages grows with them.
    """
    paced = [part for part in step.seconds if part not in UNCLOCKED]
    paced_s = sum(float(step.seconds[part]) for part in paced)
    compute_s = float(np.asarray(step.compute_busy)) * float(step.step_s)
    factor = 1 + min(compute_s / paced_s, 1.0) * (1 / clock - 1) if paced_s else 1.0
    seconds: dict[str, Number] = {
        part: float(value) * (factor if part in paced else 1.0)
        for part, value in step.seconds.items()
    }
    return replace(step, seconds=seconds, compute_s=compute_s / clock)


def watts_at(
    step: Step, clock: float, hardware: Hardware, constants: Constants, exponent: float
) -> float:
    """Mean watts of one chip over a step at a share of the full clock.

    Idle 70 W, busy 700 W, nothing but arithmetic, a = 2.5: at 0.8 of the clock 430 W.
    """
    taken = slowed(step, clock)
    weights = activity_weights(hardware, constants)
    shares = activity_shares(taken.compute_busy, taken.memory_busy, taken.link_busy)
    share = sum(
        float(weights[name]) * float(time) * (clock**exponent if name in CLOCKED else 1.0)
        for name, time in shares.items()
    )
    idle = float(hardware.idle_w)
    drawn = idle + (float(hardware.busy_w) - idle) * share
    return min(drawn, float(np.asarray(chip_watts(step, hardware, constants))))


def clock_under(
    cap_w: float,
    step: Step,
    hardware: Hardware,
    constants: Constants,
    exponent: float,
    least: float,
) -> float | None:
    """The highest share of the clock at which a chip draws no more than a cap; None below `least`.

    Args:
        cap_w: watts of one chip.
        step: at the full clock.
        hardware: of the chip.
        constants: of the machine.
        exponent: of watts by clock.
        least: lowest share of the clock.
    """

    def keeps(clock: float) -> bool:
        return watts_at(step, clock, hardware, constants, exponent) <= cap_w * (1 + 1e-9)

    if keeps(1.0):
        return 1.0
    if not keeps(least):
        return None
    low, high = least, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if keeps(middle) else (low, middle)
    return low
