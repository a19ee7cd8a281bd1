"""The initial weights of a decoder: those of GShard, with which GLaM began, or those of GPT-2.

Legend: M model width, h heads, d head width, L layers.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from energy.shape import Shape

EMBEDDING_STD = 0.02
"""Standard deviation of the initial embedding, as in GPT-2. With a larger one, the tied output
would start out confident that each token repeats itself."""


UNDECAYED = ("bias", "scale", "shift")
"""Name endings of norms and position biases, which get no weight decay."""


CONSTANTS = {"scale": 1.0, "shift": 0.0, "attention.bias": 0.0}
"""Values of norms and position biases that are not drawn, by the ending of their names."""


def draw_gpt2(name: str, weight: Tensor, shape: Shape, generator: torch.Generator) -> None:
    """Draw with variance 1/fan-in, residual projections smaller by sqrt(2L).

    Norms and position biases are 1 and 0.
    """
    if name.endswith(UNDECAYED):
        _set_constant(name, weight)
        return
    lookup = name in ("embedding", "positions")
    std = EMBEDDING_STD if lookup else 1 / math.sqrt(weight.shape[-1])
    if name.endswith(("output.weight", "down", "down.weight")):
        std *= 1 / math.sqrt(2 * int(shape.n_layers))
    weight.normal_(std=std, generator=generator)


def draw_gshard(name: str, weight: Tensor, shape: Shape, generator: torch.Generator) -> None:
    """Draw as Praxis 1.4.0 does for GLaM.

    Embedding N(0, 1). Query N(0, 1/(M d)), which stands in for dividing queries by sqrt(d); other
    projections of attention N(0, 1/fan-in); position bias N(0, 1/(32 h)) with 32 buckets. Feed-
    forward networks, experts and router uniform with variance 1/fan-in. Norms are 1.
    """
    fan_in = weight.shape[-1]
    if name.endswith(("scale", "shift")):
        _set_constant(name, weight)
    elif name in ("embedding", "positions"):
        weight.normal_(generator=generator)
    elif name.endswith("attention.bias"):
        weight.normal_(std=weight.numel() ** -0.5, generator=generator)
    elif ".attention." in name:
        d_head = int(shape.d_head) if name.endswith("query.weight") else 1
        weight.normal_(std=(fan_in * d_head) ** -0.5, generator=generator)
    else:
        limit = math.sqrt(3 / fan_in)
        weight.uniform_(-limit, limit, generator=generator)


def _set_constant(name: str, weight: Tensor) -> None:
    (value,) = (value for ending, value in CONSTANTS.items() if name.endswith(ending))
    weight.fill_(value)


DRAWS: dict[str, Callable[[str, Tensor, Shape, torch.Generator], None]] = {
    "gshard": draw_gshard,
    "gpt2": draw_gpt2,
}
"""How a weight of some name is drawn, by `Architecture.initial_weights`."""
