"""Watts of a chip from what its step is doing.

watts = idle + (busy - idle) * (compute + memory share * memory busy beyond compute + link share *
link busy + wait share * the rest), never above the limit. A waiting chip draws more than an idle
one: clocks stay up between kernels.
"""

from __future__ import annotations

import numpy as np

from energy.shape import Number, plain
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.step import Step


def chip_watts(step: Step, hardware: Hardware, constants: Constants) -> Number:
    """Mean watts of one chip over a step.

    Idle 70 W, busy 700 W, compute busy 60 % and waiting 40 % of the step at a wait share of 0.3:
    70 + 630 * (0.6 + 0.4 * 0.3) = 524 W.
    """
    return watts_of(step.compute_busy, step.memory_busy, step.link_busy, hardware, constants)


def watts_of(
    compute_busy: Number,
    memory_busy: Number,
    link_busy: Number,
    hardware: Hardware,
    constants: Constants,
) -> Number:
    """Watts of busy shares; each is that of time, between 0 and 1."""
    compute = np.minimum(compute_busy, 1)
    memory = np.clip(np.asarray(memory_busy), 0, 1 - compute)
    link = np.clip(np.asarray(link_busy), 0, 1 - compute - memory)
    wait = 1 - compute - memory - link
    share = (
        compute
        + constants.memory_power_share * memory
        + constants.link_power_share * link
        + constants.wait_share * wait
    )
    idle = np.asarray(hardware.idle_w)
    return plain(np.minimum(idle + (np.asarray(hardware.busy_w) - idle) * share, hardware.limit_w))
