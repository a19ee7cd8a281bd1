"""Watts of a chip that serves, by what it does in the mean step.

watts = idle + joules a byte x bytes per second + (design - idle) x (p products + k layers +
m messages + i waiting + h host), each part by its share of the step's time, and below the design
power. Memory draws by what it moves, so that a chip of twice the bandwidth draws twice as much for
it; the rest scales with the design power.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.serving.constants import ServingConstants
from simulator.serving.service import Service
from simulator.serving.step import Step

SOFTNESS = 12.0
"""Power of the mean that keeps watts below their limit."""

LIMIT = 0.98
"""Mean watts of a chip at its limit, over its design power: it is steered to just below."""

PARTS = ("idle", "memory", "products", "layers", "messages", "waiting", "host")


@dataclass(frozen=True)
class Draw:
    """Watts of one chip over the mean step; arrays.

    Attributes:
        chip_w: mean watts.
        parts_w: by what it does; they sum to `chip_w`.
        prompt_share: share of the joules that prompts take.
    """

    chip_w: Any
    parts_w: dict[str, Any]
    prompt_share: Any


def draw(service: Service, step: Step, constants: ServingConstants) -> Draw:
    """Watts of a chip; not a number where its design power is not known.

    H100, 700 W: a chip that reads memory 70 % of the time at 134 pJ/B draws 0.7 * 3.35e12 * 134e-12
    = 314 W for it, beside 79 W idle.
    """
    c, design = constants, np.asarray(service.board.design_w, float)
    idle = c.idle * design
    above = design - idle
    memory_w = c.joules_a_byte * np.asarray(service.board.bytes_per_s)
    part = {
        "memory": memory_w * step.memory_busy,
        "products": c.product_w * above * step.product_busy,
        "layers": c.kernel_w * above * step.layer_busy,
        "messages": c.message_w * above * step.message_busy,
        "waiting": c.imbalance_w * above * step.imbalance,
        "host": c.host_w * above * step.host,
    }
    parts = {"idle": idle} | {name: joules / step.mean_s for name, joules in part.items()}
    uncapped = sum(parts.values())
    watts = (uncapped**-SOFTNESS + (LIMIT * design) ** -SOFTNESS) ** (-1 / SOFTNESS)
    # Of prompts: their products, and their share of the time for all that goes on meanwhile.
    own = parts["products"] * step.prompt_products / np.maximum(step.product_busy, 1e-30)
    during = (uncapped - parts["products"] - parts["memory"]) * step.prompts / step.mean_s
    return Draw(
        chip_w=watts,
        parts_w={name: value * watts / uncapped for name, value in parts.items()},
        prompt_share=np.clip((own + during) / uncapped, 0, 1),
    )
