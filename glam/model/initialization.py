"""The initial weights of a decoder: those of GShard, with which GLaM began, or those of GPT-2.

Legend: M model width, h heads, d head width, L layers.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from energy.shape import Shape

EMBEDDING_STD = 0.02
"""Standard deviation of the initial embedding, as in GPT-2. With a larger one, the tied output
would start out confident that each token repeats itself."""


UNDECAYED = ("bias", "scale", "shift")
"""Name endings of norms and position biases, which get no weight decay."""


def initialize_gpt2(model: nn.Module, shape: Shape, generator: torch.Generator) -> None:
    """Draw weights with variance 1/fan-in, residual projections smaller by sqrt(2L).

    Norms and position biases stay at their 1 and 0.
    """
    residual = 1 / math.sqrt(2 * int(shape.n_layers))
    for name, parameter in model.named_parameters():
        if name.endswith(UNDECAYED):
            continue
        lookup = name in ("embedding", "positions")
        std = EMBEDDING_STD if lookup else 1 / math.sqrt(parameter.shape[-1])
        if name.endswith(("output.weight", "down", "down.weight")):
            std *= residual
        with torch.no_grad():
            parameter.normal_(std=std, generator=generator)


def initialize_gshard(model: nn.Module, shape: Shape, generator: torch.Generator) -> None:
    """Draw weights as Praxis 1.4.0 does for GLaM.

    Embedding N(0, 1). Query N(0, 1/(M d)), which stands in for dividing queries by sqrt(d); other
    projections of attention N(0, 1/fan-in); position bias N(0, 1/(32 h)) with 32 buckets. Feed-
    forward networks, experts and router uniform with variance 1/fan-in. Norms stay at 1.
    """
    for name, parameter in model.named_parameters():
        if name.endswith(("scale", "shift")):
            continue
        fan_in = parameter.shape[-1]
        with torch.no_grad():
            if name in ("embedding", "positions"):
                parameter.normal_(generator=generator)
            elif name.endswith("attention.bias"):
                parameter.normal_(std=parameter.numel() ** -0.5, generator=generator)
            elif ".attention." in name:
                d_head = int(shape.d_head) if name.endswith("query.weight") else 1
                parameter.normal_(std=(fan_in * d_head) ** -0.5, generator=generator)
            else:
                limit = math.sqrt(3 / fan_in)
                parameter.uniform_(-limit, limit, generator=generator)


INITIALIZERS: dict[str, Callable[[nn.Module, Shape, torch.Generator], None]] = {
    "gshard": initialize_gshard,
    "gpt2": initialize_gpt2,
}
"""By `Architecture.initial_weights`."""
