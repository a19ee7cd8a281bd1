"""Operations and their time, bounded by arithmetic, by memory, or by the fixed cost of a start.

A step is a dict of parts, each a list of operations. Calibration turns its probe rows into the
same operations, so a constant means the same where it is fitted and where it is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from energy.shape import Number, plain
from simulator.physics.constants import Constants
from simulator.physics.formats import Formats
from simulator.physics.hardware import Hardware
from simulator.physics.plan import Plan

Kind = Literal[
    "product", "grouped", "batched", "attention", "elementwise", "loss", "adafactor", "adamw"
]
"""What bounds an operation, and so which constants apply to it."""

Dims: TypeAlias = tuple[Number, Number, Number]
"""(m, n, k) of a product of (m, k) by (k, n)."""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One kind of work, done `count` times per micro-batch (the optimizer: per step).

    Attributes:
        kind: what bounds it.
        count: how often it is done.
        flop: floating-point operations of one execution.
        bytes: bytes that one execution moves through memory.
        dims: (m, n, k) of its product, of one group where grouped; None without a product.
        groups: groups of a grouped product.
        calls: framework operations of one execution.
        wide: whether its product stays in 16 bits where others are narrower.
    """

    kind: Kind
    count: Number = 1
    flop: Number = 0
    bytes: Number = 0
    dims: Dims | None = None
    groups: Number = 1
    calls: Number = 1
    wide: bool = False

    def compute_seconds(self, hardware: Hardware, constants: Constants) -> Number:
        """Seconds of one execution at the rate of arithmetic.

        peak * eff_max * m/(m + m_half) * n/(n + n_half) * k/(k + k_half): at eff_max 0.8 and
        halves of 32, a product of 96 x 96 x 96 runs at 0.8 * 0.75^3 = 34 % of the peak.
        """
        if self.kind == "attention":
            rate = hardware.wide_flop_per_s * constants.attention_efficiency
            return plain(np.asarray(self.flop) / rate)
        if self.dims is None:
            return 0.0
        peak = hardware.wide_flop_per_s if self.wide else hardware.peak_flop_per_s
        rate = peak * hardware.reach * np.asarray(constants.eff_max)
        if hardware.peak_16bit_flop_per_s is not None and not self.wide:
            narrow = np.asarray(hardware.peak_flop_per_s) > hardware.peak_16bit_flop_per_s
            rate = rate * np.where(narrow, constants.narrow_efficiency, 1.0)
        if self.kind == "grouped":
            rate = rate * constants.grouped_efficiency
        elif self.kind == "batched":
            rate = rate * constants.batched_efficiency
        slowdown: Any = 1.0
        for dim, half in zip(
            self.dims, (constants.m_half, constants.n_half, constants.k_half), strict=True
        ):
            # A part that a shape lacks has a dim of 0; its FLOP are 0 anyway.
            slowdown = slowdown * (1 + half / np.maximum(np.asarray(dim, float), 1))
        return plain(np.asarray(self.flop) * slowdown / rate)

    def least_seconds(self, hardware: Hardware) -> Number:
        """Seconds of one execution by the best product that the chip is known to do.

        No constant that was fitted makes it shorter: 271.2 TFLOP on an A100 take at least 1 s.
        """
        if self.kind == "attention" or (self.wide and self.dims is not None):
            peak = hardware.wide_flop_per_s
        elif self.dims is None:
            return 0.0
        else:
            peak = hardware.peak_flop_per_s
        return plain(np.asarray(self.flop) / (np.asarray(peak) * hardware.roof))

    def memory_seconds(self, hardware: Hardware, constants: Constants) -> Number:
        """Seconds of one execution at the rate of memory."""
        efficiency = np.asarray(constants.memory_efficiency)
        if self.kind == "elementwise":
            efficiency = efficiency / constants.fusion
        if self.kind == "loss":
            efficiency = efficiency * constants.loss_efficiency
        if self.kind == "adafactor":
            efficiency = np.asarray(constants.adafactor_efficiency)
        if self.kind == "adamw":
            efficiency = np.asarray(constants.adamw_efficiency)
        return plain(np.asarray(self.bytes) / (hardware.memory_bytes_per_s * efficiency))

    def fixed_seconds(self, constants: Constants) -> Number:
        """Seconds of one execution that do not depend on its size: its calls, and its groups."""
        groups = np.asarray(self.groups) * constants.group_s if self.kind == "grouped" else 0.0
        return plain(self.started(constants) * constants.launch_s + groups)

    def started(self, constants: Constants) -> Number:
        """Framework operations that one execution starts; fusion merges element-wise ones."""
        return self.calls * constants.fusion if self.kind == "elementwise" else self.calls

    def seconds(self, hardware: Hardware, constants: Constants) -> Number:
        """Seconds of one execution: the longer of arithmetic and memory, plus its fixed time."""
        work = np.maximum(
            self.compute_seconds(hardware, constants), self.memory_seconds(hardware, constants)
        )
        return plain(work + self.fixed_seconds(constants))


def product(
    dims: Dims,
    width: Number,
    *,
    kind: Kind = "product",
    groups: Number = 1,
    count: Number = 1,
    wide: bool = False,
) -> Operation:
    """A product of (m, k) by (k, n), `groups` times in one operation: 2mnk FLOP each.

    512 x 512 x 512 in float32: 2.68e8 FLOP and 3.1 MB, 85 FLOP per byte.

    >>> one = product((512, 512, 512), 4)
    >>> f"{one.flop:.3g} FLOP, {one.bytes / 1e6:.1f} MB, {one.flop / one.bytes:.0f} FLOP per byte"
    '2.68e+08 FLOP, 3.1 MB, 85 FLOP per byte'

    Args:
        dims: (m, n, k).
        width: bytes per value.
        kind: what bounds it.
        groups: products of one execution.
        count: executions.
        wide: whether it stays in 16 bits.
    """
    m, n, k = dims
    each = np.asarray(groups, float)
    volume = each * m
    return Operation(
        kind=kind,
        count=count,
        dims=dims,
        groups=groups,
        wide=wide,
        flop=plain(2.0 * volume * n * k),
        bytes=plain((volume * k + each * n * k + volume * n) * width),
    )


def linear(
    dims: Dims,
    plan: Plan,
    again: Number,
    *,
    kind: Kind = "product",
    groups: Number = 1,
    count: Number = 1,
    wide: bool = False,
    frozen: bool = True,
) -> list[Operation]:
    """A linear map and its two backward products, and the passes that make its values narrow.

    y = x W is (T, n, k); its gradients are (T, k, n) for the input and (n, k, T) for the weight,
    which a frozen weight does not need, and a forward pass alone needs neither.

    Args:
        dims: (T, n, k).
        plan: with the bytes per value, and what is trained.
        again: how often the forward product is recomputed.
        kind: what bounds it.
        groups: products of one execution.
        count: executions.
        wide: whether it stays in 16 bits.
        frozen: whether its weight is one of those that are frozen where adapters are trained.
    """
    tokens, n, k = dims
    forward = plain(np.asarray(count) * (1 + np.asarray(again)))
    of_input = plain(np.asarray(count) * plan.input_gradients)
    of_weight = plain(np.asarray(count) * plan.weight_gradients) if frozen else of_input
    width = plan.activation_bytes
    products = [
        product(sizes, width, kind=kind, groups=groups, count=times, wide=wide)
        for sizes, times in (
            ((tokens, n, k), forward),
            ((tokens, k, n), of_input),
            ((n, k, tokens), of_weight),
        )
    ]
    if wide or not np.any(np.asarray(plan.product_bytes) < width):
        return products
    rows = np.asarray(tokens, float) * groups
    return [
        *products,
        quantization(plain(rows * k), plan, count=forward),
        quantization(plain(rows * n), plan, count=of_input),
    ]


def quantization(values: Number, formats: Formats, *, count: Number = 1) -> Operation:
    """The pass that writes values in a narrow format, once by row and once by column.

    1,000 values of 2 bytes in 8 bits are 2,000 bytes read and 2,000 written. Four bits have a
    second scale, of the whole tensor, so everything is read twice (arXiv:2509.25149, section 3).
    """
    wide, narrow = np.asarray(formats.activation_bytes), np.asarray(formats.product_bytes, float)
    moved = wide * np.where(narrow < 1, 2, 1) + 2 * narrow
    each = np.asarray(values, float) * np.where(narrow < wide, moved, 0)
    return Operation(
        kind="elementwise",
        count=count,
        bytes=plain(each),
        calls=plain(np.where(narrow < wide, 1, 0)),
    )


def elementwise(
    values: Number,
    passes: Number,
    formats: Formats,
    *,
    calls: Number,
    count: Number = 1,
    kind: Kind = "elementwise",
) -> Operation:
    """Reads and writes of `values` activations, `passes` times each."""
    size = np.asarray(values, float) * passes * formats.activation_bytes
    return Operation(kind=kind, count=count, bytes=plain(size), calls=calls)
