"""One device: a chip of the catalog at a precision, or a machine that was calibrated."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from energy.errors import InputError, MissingDataError
from energy.facts.catalog import Chip
from energy.facts.kernel_watts import kernel_watts
from energy.facts.roofs import roof
from energy.inputs import is_number, shown
from energy.quantity import Boundary, Origin, Quantity
from energy.shape import Number
from simulator.physics.constants import Constants

MARGIN = 0.05
"""Allocators and workspaces, as a share of all else (3 to 6 % in SimuMax, mem_factor 0.94)."""

MARGIN_PLANNED = 0.0
"""Of a TPU: its compiler places every buffer before a program runs, and `Chip.memory_bytes` is what
it lets a program use."""

POSITIVE = (
    *("peak_flop_per_s", "memory_bytes", "memory_bytes_per_s", "busy_w"),
    *("reach", "roof", "link_domain_chips"),
)
"""Fields that something is divided by."""

MOST = 1e30
"""More than any chip has of anything; a file with more is damaged."""


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """What a chip can do and what it draws; numbers may be arrays.

    Attributes:
        name: of the chip or machine.
        precision: of matrix products, at which `peak_flop_per_s` applies.
        peak_flop_per_s: dense peak, or the best product that calibration measured.
        memory_bytes: of its own memory.
        memory_bytes_per_s: bandwidth of that memory.
        memory_margin: what allocators and workspaces take, as a share of all that is stored.
        idle_w: watts with nothing to do.
        busy_w: watts with arithmetic busy all the time.
        limit_w: watts that are never exceeded.
        power_relative: relative 80 % band of its watts (low, high).
        power_source: where the watts come from.
        power_boundary: what the watts include.
        memory_power_share: watts above idle while memory works, over those of arithmetic, where
            kernels were metered; None means that of the constants.
        wait_share: the same of a chip that waits.
        reach: share of the peak that its best product reaches: measured, or its maker's best.
        roof: share of the peak that no part of a step exceeds, whatever was fitted.
        peak_16bit_flop_per_s: peak of what stays in 16 bits when products are narrower
            (attention); None means the same peak.
        link_bytes_per_s: all fast links of a chip together, one direction; 0 where there are none.
        link_domain_chips: chips that the fast links join.
        link_axes: axes of a torus, which share the links equally; 0 is a switch.
        network_bytes_per_s: a chip's share of the network between domains, one direction.
        time_relative: relative 80 % band of a time predicted for it (low, high).
        source: where the rest comes from.
    """

    name: str
    precision: str
    peak_flop_per_s: Number
    memory_bytes: Number
    memory_bytes_per_s: Number
    idle_w: Number
    busy_w: Number
    limit_w: Number
    power_relative: tuple[float, float]
    power_source: str
    power_boundary: Boundary = Boundary.CHIP
    memory_power_share: Number | None = None
    wait_share: Number | None = None
    reach: Number = 1.0
    roof: Number = 1.0
    peak_16bit_flop_per_s: Number | None = None
    memory_margin: Number = MARGIN
    link_bytes_per_s: Number = 0.0
    link_domain_chips: Number = 1
    link_axes: Number = 0
    network_bytes_per_s: Number = 0.0
    time_relative: tuple[float, float] = (-0.35, 0.55)
    source: str = ""

    def __post_init__(self) -> None:
        for name in POSITIVE:
            if np.any(np.asarray(getattr(self, name)) <= 0):
                raise InputError(f"expected {name} above 0", f"{getattr(self, name)}")

    @property
    def wide_flop_per_s(self) -> Number:
        """Peak of the products that stay in 16 bits: attention, router and logits."""
        if self.peak_16bit_flop_per_s is None:
            return self.peak_flop_per_s
        return self.peak_16bit_flop_per_s

    @classmethod
    def from_chip(cls, chip: Chip, precision: str, constants: Constants) -> Self:
        """A chip of the catalog; watts that nobody measured are shares of its design power.

        Raises:
            MissingDataError: a peak or the memory is unknown.
        """
        memory, bandwidth = chip.memory_bytes, chip.memory_bytes_per_s
        if memory is None or bandwidth is None:
            unknown = "memory_bytes" if memory is None else "memory_bytes_per_s"
            raise MissingDataError(
                f"expected {unknown} of {chip.id}", "unknown", "choose another chip"
            )
        best = roof(chip).numbers()[0]
        return cls(
            name=chip.id,
            precision=precision,
            peak_flop_per_s=_peak(chip, precision),
            memory_bytes=memory,
            memory_bytes_per_s=bandwidth,
            memory_margin=MARGIN_PLANNED if chip.kind == "tpu" else MARGIN,
            reach=best,
            roof=best,
            peak_16bit_flop_per_s=_peak_16bit(chip, precision),
            link_bytes_per_s=chip.link_bytes_per_s or 0.0,
            link_domain_chips=chip.link_domain_chips or 1,
            link_axes=chip.link_axes or 0,
            network_bytes_per_s=chip.network_bytes_per_s or 0.0,
            source=chip.source,
            **_power(chip, constants),
        )

    @classmethod
    def from_dict(cls, table: dict[str, Any]) -> Self:
        """The [hardware] table of a machine file."""
        unknown = sorted(set(table) - {item.name for item in fields(cls)})
        if unknown:
            raise InputError(
                "expected the hardware fields of this version",
                ", ".join(unknown),
                "calibrate again",
            )
        values = dict(table)
        wrong = [
            f"{item.name} = {shown(table[item.name])}"
            for item in fields(cls)
            if item.name in table and not _is_valid(item.name, str(item.type), table[item.name])
        ]
        if wrong:
            raise InputError(
                "expected texts, and finite numbers of 0 or more, in [hardware]",
                ", ".join(wrong),
                "calibrate again",
            )
        try:
            values["time_relative"] = tuple(values.get("time_relative", (-0.35, 0.55)))
            values["power_relative"] = tuple(values["power_relative"])
            values["power_boundary"] = Boundary(values.get("power_boundary", Boundary.CHIP))
            return cls(**values)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                "expected a whole [hardware] table", str(error), "calibrate again"
            ) from error

    def require_watts(self) -> None:
        """Refuse a question about power or energy where the watts of the chip are not known.

        Raises:
            MissingDataError: neither measured watts nor a design power of the chip is known.
        """
        if not np.all(np.isfinite(self.busy_w)):
            raise MissingDataError(
                f"expected a design power or measured watts of {self.name}",
                "unknown",
                "choose another chip, or give --mfu and --watts where the question takes them",
            )

    def watts(self, value: float) -> Quantity:
        """Modelled watts of this hardware with their band; missing where its own are not known."""
        if not np.isfinite(value):
            return Quantity.absent(
                "W", f"neither watts nor a design power of {self.name} are known"
            )
        return Quantity.of(
            value,
            "W",
            f"busy shares of the step; {self.power_source}",
            Origin.MODELLED,
            relative=self.power_relative,
        )


def _is_valid(name: str, annotation: str, value: Any) -> bool:
    """Whether a value of a file can be that of a field."""
    if annotation.startswith("tuple"):
        ends = value if isinstance(value, list) and len(value) == 2 else [None]
        return all(is_number(end, -0.999, 1e3) for end in ends)
    if annotation.startswith("Number"):
        return is_number(value, 1e-6 if name in POSITIVE else 0.0, MOST)
    return isinstance(value, str)


WIDER_SHARE = 0.16
"""Share of the products that stay in 16 bits in 4-bit training: 16 % of the linear layers
(arXiv:2509.25149, section 4.1)."""


def _power(chip: Chip, constants: Constants) -> dict[str, Any]:
    """The fields of `Hardware` on watts.

    Unknown watts are not a number, so that time can be predicted and energy cannot.
    """
    design_w = chip.tdp_w if chip.tdp_w is not None else chip.max_w
    share_of = np.nan if design_w is None else design_w
    measured = chip.idle_w is not None and chip.max_w is not None
    idle_w = chip.idle_w if chip.idle_w is not None else constants.idle_share * share_of
    if chip.max_w is None and (metered := kernel_watts(chip.id)):
        return {
            "idle_w": idle_w,
            "busy_w": metered.busy_share * share_of,
            "limit_w": share_of,
            "memory_power_share": metered.memory_share,
            "wait_share": metered.wait_share,
            "power_relative": metered.relative,
            "power_source": f"metered kernels: {metered.source}",
        }
    return {
        "idle_w": idle_w,
        "busy_w": chip.max_w if chip.max_w is not None else constants.busy_share * share_of,
        "limit_w": max((w for w in (chip.tdp_w, chip.max_w) if w is not None), default=np.nan),
        "power_relative": (-0.12, 0.12) if measured else (-0.25, 0.25),
        "power_source": f"{'measured' if measured else 'design power'}: {chip.source}",
    }


def _peak(chip: Chip, precision: str) -> float:
    """Peak of the products; a 4-bit run does a part of them in 16 bits."""
    if precision != "fp4":
        return chip.peak_flop_per_s(precision)
    narrow, wide = chip.peak_flop_per_s("fp4"), chip.peak_flop_per_s("bf16")
    return 1 / ((1 - WIDER_SHARE) / narrow + WIDER_SHARE / wide)


def _peak_16bit(chip: Chip, precision: str) -> float | None:
    """The 16-bit peak where products are narrower than that."""
    narrow = precision in ("fp8", "int8", "fp4")
    return chip.peak_flop_per_s("bf16") if narrow else None
