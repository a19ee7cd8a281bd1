"""The few physical constants of a machine and its software, each with a unit, a range and a prior.

`simulator.fit` fits them and writes them to a TOML file together with the rows that they came from;
nobody edits them by hand. A constant that no row determines keeps its prior, and is named.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np

from energy.errors import InputError
from energy.inputs import is_number, shown
from energy.shape import Number


@dataclass(frozen=True, kw_only=True)
class Prior:
    """What is assumed of a constant before any row is fitted: a log-normal prior within a range.

    Attributes:
        value: median.
        factor: one sigma is a multiplication or division by it.
        low: smallest allowed value.
        high: largest allowed value.
        unit: of the constant.
        meaning: of the constant, in words.
    """

    value: float
    factor: float
    low: float
    high: float
    unit: str
    meaning: str


def constant(
    default: float, unit: str, low: float, high: float, factor: float, meaning: str
) -> Any:
    """A field of a class of constants with its prior, whose median is the default."""
    prior = Prior(
        value=float(default), factor=factor, low=low, high=high, unit=unit, meaning=meaning
    )
    return field(default=default, metadata={"prior": prior})


@dataclass(frozen=True, kw_only=True)
class Constants:
    """Constants of time and power; the defaults are the priors of a machine never measured.

    A constant may be an array, with one value per place of the arrays of shapes and plans.
    """

    eff_max: Number = constant(
        0.8, "1", 0.1, 1.3, 1.5, "share of the peak that an infinitely large matrix product reaches"
    )
    m_half: Number = constant(
        32, "1", 0.5, 4096, 4, "rows of a product at which that share is halved"
    )
    n_half: Number = constant(
        32, "1", 0.5, 4096, 4, "columns of a product at which that share is halved"
    )
    k_half: Number = constant(
        32, "1", 0.5, 4096, 4, "inner dimension of a product at which that share is halved"
    )
    grouped_efficiency: Number = constant(
        0.9, "1", 0.05, 1.5, 1.5, "rate of a grouped product over that of its products alone"
    )
    group_s: Number = constant(
        1e-6, "s", 1e-9, 1e-2, 10, "fixed time of one group of a grouped product"
    )
    batched_efficiency: Number = constant(
        0.8, "1", 0.05, 1.5, 1.5, "rate of the products of unfused attention over single ones"
    )
    attention_efficiency: Number = constant(
        0.4, "1", 0.02, 1.2, 2, "share of the peak that fused attention reaches"
    )
    memory_efficiency: Number = constant(
        0.8, "1", 0.05, 1.5, 1.5, "share of the memory bandwidth that element-wise operations reach"
    )
    loss_efficiency: Number = constant(
        0.8, "1", 0.05, 3.0, 1.5, "bandwidth of the loss over that of other element-wise operations"
    )
    adafactor_efficiency: Number = constant(
        0.3, "1", 0.02, 3.0, 2, "share of the memory bandwidth that Adafactor's passes reach"
    )
    adamw_efficiency: Number = constant(
        0.6, "1", 0.02, 3.0, 2, "share of the memory bandwidth that fused AdamW reaches"
    )
    fusion: Number = constant(
        1.0, "1", 0.05, 1.5, 1.7, "element-wise passes and calls over those of an eager framework"
    )
    narrow_efficiency: Number = constant(
        0.8, "1", 0.1, 1.2, 1.3, "share of the peak of 8- and 4-bit products over that of 16-bit"
    )
    launch_s: Number = constant(3e-6, "s", 1e-8, 1e-2, 3, "fixed time of one framework operation")
    host_s: Number = constant(
        8e-6, "s", 1e-10, 1e-3, 2.5, "host time to start an operation, in parallel with the device"
    )
    link_efficiency: Number = constant(
        0.75, "1", 0.05, 1.0, 1.3, "share of the fast links' rate that collectives reach"
    )
    network_efficiency: Number = constant(
        0.7, "1", 0.02, 1.0, 1.4, "share of the network's rate that collectives reach"
    )
    link_latency_s: Number = constant(
        5e-6, "s", 1e-7, 1e-3, 2.5, "time of one hop over a fast link"
    )
    network_latency_s: Number = constant(
        1.5e-5, "s", 1e-7, 1e-2, 2.5, "time of one hop over the network"
    )
    overlap_tp: Number = constant(
        0.1, "1", 0.005, 1.0, 2.5, "share of computation that can hide tensor parallel messages"
    )
    overlap_ep: Number = constant(
        0.1, "1", 0.005, 1.0, 2.5, "share of computation that can hide expert parallel messages"
    )
    overlap_dp: Number = constant(
        0.7, "1", 0.05, 1.0, 1.5, "share of computation that can hide data parallel messages"
    )
    contention: Number = constant(
        0.15, "1", 0.005, 1.0, 2, "slowdown of computation by a message that overlaps with it"
    )
    software: Number = constant(
        1.0, "1", 0.3, 20.0, 1.15, "time of a step over the time that the other constants explain"
    )
    step_s: Number = constant(
        1e-3, "s", 1e-7, 10, 10, "host time of one step that overlaps with nothing"
    )
    idle_share: Number = constant(
        0.15, "1", 0.01, 0.7, 1.5, "idle watts over design power, where not measured"
    )
    busy_share: Number = constant(
        0.85, "1", 0.2, 1.1, 1.15, "watts of a busy chip over design power, where not measured"
    )
    wait_share: Number = constant(
        0.3, "1", 0.0, 1.0, 1.5, "watts above idle of a waiting chip, over those of a busy one"
    )
    memory_power_share: Number = constant(
        0.6, "1", 0.0, 1.0, 1.4, "watts above idle while memory works, over those of compute"
    )
    link_power_share: Number = constant(
        0.4, "1", 0.0, 1.0, 1.5, "watts above idle while links work, over those of compute"
    )
    node_over_chip: Number = constant(
        1.3, "1", 1.0, 2.5, 1.12, "watts of a chip with its share of host and network, over its own"
    )

    def __post_init__(self) -> None:
        for item in fields(self):
            value, prior = getattr(self, item.name), item.metadata["prior"]
            if not np.all((np.asarray(value) >= prior.low) & (np.asarray(value) <= prior.high)):
                raise InputError(
                    f"expected {item.name} from {prior.low:g} to {prior.high:g}", f"{value}"
                )

    @classmethod
    def from_dict(cls, table: dict[str, Any]) -> Self:
        """The constants of a file.

        Raises:
            InputError: a name is unknown, or a value is not a number within its range.
        """
        unknown = sorted(set(table) - {item.name for item in fields(cls)})
        if unknown:
            raise InputError(
                "expected the constants of this version", ", ".join(unknown), "calibrate again"
            )
        for name, value in table.items():
            if not is_number(value):
                raise InputError(f"expected a number for {name}", shown(value), "calibrate again")
        return cls(**table)


PRIORS: dict[str, Prior] = {item.name: item.metadata["prior"] for item in fields(Constants)}
"""The prior of each constant, by its name."""
