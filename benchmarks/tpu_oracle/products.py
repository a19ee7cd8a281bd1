"""FLOP of one product in a program's text.

The TPU compiler writes every product as a convolution. A batched one has its batch as a dimension
of space, dilated so that each output meets a single tap: only taps that meet a value are counted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import prod
from typing import Protocol

from energy.errors import InputError


class Line(Protocol):
    """What is read of an instruction."""

    @property
    def kind(self) -> str:
        """Its opcode."""

    @property
    def arrays(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """(type, sizes) of its result."""

    @property
    def operands(self) -> tuple[str, ...]:
        """Names of its operands."""

    @property
    def attributes(self) -> str:
        """The rest of its line."""


def product_flop(each: Line, instructions: Mapping[str, Line]) -> int:
    """FLOP of a convolution or a dot: 2 x values of the result x values that each sums.

    A product of (m, k) by (k, n), written as a convolution without space: 2 m n k.

    Args:
        each: the product.
        instructions: of its computation, by name.

    Raises:
        InputError: its dimensions cannot be read.
    """
    left, right = (instructions[name].arrays[0][1] for name in each.operands[:2])
    result = each.arrays[0][1]
    if each.kind == "dot":
        summed = re.search(r"lhs_contracting_dims=\{([\d,]*)\}", each.attributes)
        if not summed:
            raise InputError("expected the contracted dimensions of a product", each.attributes)
        return 2 * prod(result) * prod(left[int(place)] for place in summed[1].split(",") if place)
    labels = re.search(r"dim_labels=(\w+)_(\w+)->(\w+)", each.attributes)
    if not labels:
        raise InputError("expected the dimensions of a product", each.attributes[:200])
    of_left, of_right, of_result = labels.groups()
    window = re.search(r"window=\{([^}]*)\}", each.attributes)
    fields = dict(re.findall(r"(\w+)=(\S+)", window[1])) if window else {}
    count = result[of_result.index("b")] * result[of_result.index("f")]
    count *= right[of_right.index("i")]
    for axis in (label for label in of_left if label.isdigit()):
        count *= _taps(
            left[of_left.index(axis)],
            right[of_right.index(axis)],
            result[of_result.index(axis)],
            {name: value.split("x")[int(axis)] for name, value in fields.items()},
        )
    return 2 * count


def _taps(length: int, taps: int, results: int, window: dict[str, str]) -> int:
    """Pairs of an output and a tap along one dimension of space that meet a value of the input."""
    stride, spread = int(window.get("stride", 1)), int(window.get("rhs_dilate", 1))
    dilation = int(window.get("lhs_dilate", 1))
    before = int(window.get("pad", "0_0").split("_")[0])
    valid = 0
    for tap in range(taps):
        for place in range(results):
            at = place * stride + tap * spread - before
            valid += 0 <= at <= (length - 1) * dilation and at % dilation == 0
    return valid
