"""The activations of feed-forward networks and experts, by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor
from torch.nn.functional import gelu, relu

from glam.architecture import Activation

ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "gelu": gelu,
    "gelu_tanh": partial(gelu, approximate="tanh"),
    "relu": partial(relu, inplace=True),
}
"""Each is applied to a tensor that nothing else reads, which it may overwrite."""
