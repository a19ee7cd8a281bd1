"""Watts of a chip from what it does during a step.

watts = idle + (busy - idle) * (compute + memory share * memory busy beyond compute + link share *
link busy + wait share * the rest), never above the limit. A waiting chip draws more than an idle
one: clocks stay up between kernels.
"""

from __future__ import annotations

import numpy as np

from energy.shape import Number, plain
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.pace import Pace


def chip_watts(step: Pace, hardware: Hardware, constants: Constants) -> Number:
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
    """Watts of one chip from the shares of time, 0 to 1, in which each of its parts is busy.

    >>> from types import SimpleNamespace
    >>> shares = {"memory_power_share": None, "wait_share": None}
    >>> board = SimpleNamespace(idle_w=70.0, busy_w=700.0, limit_w=700.0, **shares)
    >>> round(watts_of(0.6, 0.0, 0.0, board, Constants(wait_share=0.3)))
    524
    """
    weights = activity_weights(hardware, constants)
    shares = activity_shares(compute_busy, memory_busy, link_busy)
    share = shares.pop("compute")
    for activity, time in shares.items():
        share = share + weights[activity] * time
    idle = np.asarray(hardware.idle_w)
    return plain(np.minimum(idle + (np.asarray(hardware.busy_w) - idle) * share, hardware.limit_w))


def activity_shares(
    compute_busy: Number, memory_busy: Number, link_busy: Number
) -> dict[str, Number]:
    """Shares of time by the activity that counts: compute before memory before links, else wait.

    They sum to 1: compute busy 0.6, memory 0.5, links 0.2 are 0.6, 0.4, 0 and no waiting.

    >>> {name: round(float(share), 9) for name, share in activity_shares(0.6, 0.5, 0.2).items()}
    {'compute': 0.6, 'memory': 0.4, 'link': 0.0, 'wait': 0.0}
    """
    compute = np.minimum(compute_busy, 1)
    left = 1 - compute
    memory = np.clip(np.asarray(memory_busy), 0, left)
    left = left - memory
    link = np.clip(np.asarray(link_busy), 0, left)
    wait = left - link
    return {"compute": compute, "memory": memory, "link": link, "wait": wait}


def activity_weights(hardware: Hardware, constants: Constants) -> dict[str, Number]:
    """Watts above idle of each activity, as a share of those of arithmetic.

    Those of the chip's own metered kernels, where it has any, go before the constants.
    """
    memory, wait = hardware.memory_power_share, hardware.wait_share
    return {
        "compute": 1.0,
        "memory": constants.memory_power_share if memory is None else memory,
        "link": constants.link_power_share,
        "wait": constants.wait_share if wait is None else wait,
    }
