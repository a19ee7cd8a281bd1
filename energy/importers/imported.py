"""A run that another tool metered, between its log and our ledger."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from energy.importers.moments import pace_of
from energy.meters.base import Domain
from energy.meters.sensors import by_default

BOARD_POWER, BOARD_COUNTER = (0.88, 1.12), (0.93, 1.07)
"""Bands of NVIDIA's sensors, as `energy.meters.nvml` has them."""

NODE_METER = (0.9, 1.1)
"""Band of a node that meters itself, the wider of those in `energy.meters`."""

MOST_SHOWN = 3
"""Line numbers that a note names."""

UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What a damaged line raises when it is read; ArithmeticError for a number of 400 digits."""

ROUNDING = 1e-9
"""What a sum of decimal fractions may be off."""


@dataclass
class Device:
    """What a log says of one device; one of the three lists has its readings.

    Attributes:
        domain: what was metered, by whom, with its band.
        powers: seconds and the watts from then on; None where the reading failed.
        counts: seconds and what a counter of joules showed; None where the reading failed.
        spent: begin, end and the joules between.
        checks: seconds and watts beside a counter, as a check on it.
    """

    domain: Domain
    powers: list[tuple[float, float | None]] = field(default_factory=list)
    counts: list[tuple[float, float | None]] = field(default_factory=list)
    spent: list[tuple[float, float, float]] = field(default_factory=list)
    checks: dict[float, float] = field(default_factory=dict)


@dataclass
class ImportedRun:
    """A run as its log has it.

    Attributes:
        name: what the log calls it; may be empty.
        devices: what was metered.
        windows: name, begin and end of named stretches.
        chips: accelerators that the run occupied.
        chip: product name of the accelerators; empty if the log does not tell.
        host: machine; empty if the log does not tell.
        facts: for the environment of the record.
        labels: for the record.
        notes: what a reader of the record should know.
    """

    name: str = ""
    devices: list[Device] = field(default_factory=list)
    windows: list[tuple[str, float, float]] = field(default_factory=list)
    chips: int = 1
    chip: str = ""
    host: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Hints:
    """What the user added to a log.

    Attributes:
        file: name of the file.
        timezone: of stamps that have none ("Europe/Berlin"); UTC by default.
        chips: accelerators of the run, where the log gives joules of one.
        interval_s: seconds between readings that carry no time.
    """

    file: str = "log"
    timezone: str | None = None
    chips: int | None = None
    interval_s: float | None = None


@dataclass(frozen=True)
class Importer:
    """Reads the logs of one tool.

    Attributes:
        kind: what a user calls it.
        title: of the logs, for messages: "a log of nvidia-smi".
        layout: how to have the tool write one that can be read.
        recognizes: whether a text looks like one; called with its first `HEAD` characters.
        read: the runs in a text.
    """

    kind: str
    title: str
    layout: str
    recognizes: Callable[[str], bool]
    read: Callable[[str, Hints], list[ImportedRun]]


class Skipped:
    """Lines of a log that could not be read, for a note."""

    def __init__(self) -> None:
        self._lines: dict[str, list[int]] = {}

    def add(self, number: int, why: str = "left out, because it cannot be read") -> None:
        """Leave a line out; number 0 for what has no line."""
        self._lines.setdefault(why, []).append(number)

    @property
    def count(self) -> int:
        """How many lines were left out."""
        return sum(map(len, self._lines.values()))

    def notes(self) -> list[str]:
        """A sentence for each reason, with the first lines."""
        notes = []
        for why, numbers in self._lines.items():
            if not any(numbers):
                notes.append(why if len(numbers) == 1 else f"{len(numbers):,} times: {why}")
                continue
            shown = ", ".join(map(str, numbers[:MOST_SHOWN]))
            more = ", ..." if len(numbers) > MOST_SHOWN else ""
            lines = "1 line" if len(numbers) == 1 else f"{len(numbers):,} lines"
            notes.append(f"{lines} of the log: {why} (line {shown}{more})")
        return notes


def number(text: str, least: float = 0.0, most: float = 1e18) -> float:
    """A number of a log.

    Raises:
        ValueError: it is none, not finite, below the least or above the most.
    """
    value = float(text)
    if not (math.isfinite(value) and least <= value <= most):
        raise ValueError(f"{text} is not from {least:g} to {most:g}")
    return value


def board(name: str, product: str, api: str, *, by_power: bool) -> Domain:
    """An NVIDIA board that another tool read through NVML.

    Args:
        name: its UUID, or its place in the machine.
        product: its product name; empty if the log does not tell.
        api: the tool and what it reads.
        by_power: whether the tool logs watts, rather than joules of the counter.
    """
    low, high = BOARD_POWER if by_power else BOARD_COUNTER
    domain = Domain(
        id=name,
        kind="gpu",
        boundary="chip",
        method="power" if by_power else "counter",
        tick_s=0.1,
        api=f"{api} ({product})" if product else api,
        low=low,
        high=high,
        source="sensor gain against external meters, by method",
        meter=name,
    )
    return by_default(domain, "nvml", product)


def node(name: str, api: str, *, by_power: bool, nodes: int = 1) -> Domain:
    """Whole nodes whose own meter another tool read."""
    low, high = NODE_METER
    return Domain(
        id=name,
        kind="node",
        boundary="node",
        method="power" if by_power else "counter",
        api=api,
        low=low,
        high=high,
        limit_w=20_000.0 * nodes if nodes > 1 else 0.0,
        source="meters inside nodes: 10 %, as the counters of Cray nodes",
        meter=name,
    )


def paced(device: Device) -> Device:
    """A device that is read by power, each value of which holds until the next at its own pace."""
    tick_s = max(device.domain.tick_s, pace_of(time_s for time_s, _ in device.powers))
    return replace(device, domain=replace(device.domain, tick_s=tick_s))


def outermost(
    stretches: Iterable[tuple[float, float, float]],
) -> tuple[list[tuple[float, float, float]], int]:
    """Stretches of which none lies in another, and how many did.

    Joules of a step are part of those of the epoch around it. Of two that overlap in part, the
    later counts from the end of the earlier on, by its share of time.
    """
    ordered = sorted(stretches, key=lambda stretch: (stretch[0], -stretch[1]))
    kept: list[tuple[float, float, float]] = []
    inner = 0
    for begin_s, end_s, joules in ordered:
        reached_s = kept[-1][1] if kept else -math.inf
        if end_s <= reached_s:
            inner += 1
            continue
        if begin_s < reached_s:
            share = (end_s - reached_s) / (end_s - begin_s)
            inner += share < 1 - 1e-3
            begin_s, joules = reached_s, joules * share
        kept.append((begin_s, end_s, joules))
    return kept, inner
