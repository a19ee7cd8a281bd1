"""The stack of layers that every part of a shape belongs to, and the numbers it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Number: TypeAlias = float | NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Stack:
    """How many layers there are, of which width.

    A layer has two branches: a mixer over positions (attention or recurrence) and a network
    (dense or mixture of experts). In some models a layer has one of the two alone.

    Attributes:
        n_layers: L, all layers.
        d_model: M, model width.
        seq_len: S, tokens in a training sequence.
        n_recurrent_layers: layers whose mixer is a recurrence; the others have attention.
        n_network_layers: layers without a mixer.
        n_mixer_layers: layers without a network.
    """

    n_layers: Number
    d_model: Number
    seq_len: Number
    n_recurrent_layers: Number = 0
    n_network_layers: Number = 0
    n_mixer_layers: Number = 0


def attention_layers(stack: Stack) -> Number:
    """Layers with attention: all that have neither a recurrence nor a network alone."""
    return stack.n_layers - stack.n_recurrent_layers - stack.n_network_layers


def branches(stack: Stack) -> Number:
    """Mixers and networks of all layers together: 2 L, less what some layers lack."""
    return 2 * stack.n_layers - stack.n_network_layers - stack.n_mixer_layers


def either(value: Number, otherwise: Number) -> Number:
    """A value, or another where it is 0."""
    if isinstance(value, int | float):
        return value if value > 0 else otherwise
    return plain(np.where(np.asarray(value) > 0, value, otherwise))


def plain(value: Any) -> Number:
    """An array as it is, a scalar as a Python number: an int when it is whole."""
    if isinstance(value, np.ndarray) and value.ndim:
        return value
    if not isinstance(value, int | float) and np.ndim(value):
        return np.asarray(value)
    number = float(value)
    return int(number) if number.is_integer() and abs(number) < 2**53 else number
