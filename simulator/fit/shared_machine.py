"""Several processes of one machine: what they take from each other, and the speed of messages.

A process that shares cores, caches and memory with others is slower than one alone, by factors that
`glam probe --processes N` measures for products, whole layers and memory. Their messages are work
of the same cores, so that nothing hides behind them. Each process is a domain of its own on a
network. Messages of fully sharded weights are slower: three a layer, each with copies in and out,
in which all wait for the slowest. The probe measures what they add to a layer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from energy.errors import InputError
from simulator.physics.constants import PRIORS, Constants
from simulator.physics.hardware import Hardware

TOGETHER = {"together": ("work", "processes", "seconds")}

MESSAGES = {"message": ("kind", "processes", "bytes", "seconds")}

SHARDED = {"sharded_layer": ("processes", "bytes", "seconds")}

OPERATIONS = TOGETHER | MESSAGES | SHARDED
"""Rows of a probe that are of several processes, and their keys."""

HALVES = {
    "all-reduce": 2,
    "all-gather": 1,
    "reduce-scatter": 1,
    "all-to-all": 1,
    "sharded_layer": 3,
}
"""Kinds of messages, and how many of an all-gather each is in `simulator.physics.collectives`; a
layer of which the weights are sharded gathers them twice and scatters their gradient."""

FORMER, COLUMNS = 5, 7
"""Numbers in a row of a machine file: of version 0.1, which has one kind of messages, and now."""

Message = tuple[str, float, float]
"""Kind, bytes and seconds."""

FIX = "glam probe --processes N --out probe.json, and simulator calibrate probe.json"


@dataclass(frozen=True)
class SharedMachine:
    """What up to N processes of a machine do to each other.

    Attributes:
        counts: (processes, slowdown of products, slowdown of memory, bytes/s of messages, seconds
            of a hop, and both again where weights are fully sharded), by number of processes.
            Files of version 0.1 have the first five, and messages that are alike.
    """

    counts: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, counts: Sequence[Sequence[float]]) -> Self:
        """Check the rows of a machine file.

        Raises:
            InputError: they are not five or seven positive numbers each, of more and more
                processes.
        """
        try:
            table = np.array(counts, float)
            whole = table.ndim == 2 and table.shape[1] in (FORMER, COLUMNS)
            rising = whole and (np.diff(table[:, 0]) > 0).all()
            if not rising or not (np.isfinite(table) & (table > 0)).all():
                raise ValueError(f"{counts!r:.60}")
        except (ValueError, TypeError) as error:
            raise InputError("expected whole rows of several processes", str(error), FIX) from error
        if table.shape[1] == FORMER:
            table = np.hstack([table, table[:, 3:]])
        return cls(tuple(tuple(map(float, row)) for row in table))

    @classmethod
    def of_probe(cls, probe: dict[str, Any]) -> Self | None:
        """Fit the rows of a probe; None of one that measured a process alone.

        Raises:
            InputError: a row is not whole.
        """
        works: dict[tuple[str, float], float] = {}
        sent: dict[float, list[Message]] = defaultdict(list)
        sharded: dict[float, list[Message]] = defaultdict(list)
        try:
            for raw in probe["rows"]:
                if raw["op"] in TOGETHER:
                    works[raw["work"], float(raw["processes"])] = float(raw["seconds"])
                elif raw["op"] in MESSAGES:
                    message = (raw["kind"], float(raw["bytes"]), float(raw["seconds"]))
                    sent[float(raw["processes"])].append(message)
                elif raw["op"] in SHARDED:
                    message = (raw["op"], float(raw["bytes"]), float(raw["seconds"]))
                    sharded[float(raw["processes"])].append(message)
            rows = [
                (
                    count,
                    *_slowdowns(works, count),
                    *_line(count, messages),
                    *_line(count, sharded[count] or messages),
                )
                for count, messages in sorted(sent.items())
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                "expected whole rows of several processes", f"no {error}", FIX
            ) from error
        return cls.of(rows) if rows else None

    def at(
        self, processes: float, hardware: Hardware, constants: Constants, *, sharded: bool = False
    ) -> tuple[Hardware, Constants]:
        """The hardware and constants of one of so many processes, which share the machine.

        Numbers of processes between those that were measured are interpolated. Watts are a
        process's share of those of the machine: idle, and of the cores that are busy. Where
        weights are fully sharded, all messages are as slow as theirs.

        Raises:
            InputError: more processes than were measured.
        """
        table = np.array(self.counts)
        if processes > table[-1, 0]:
            raise InputError(
                f"expected at most the {table[-1, 0]:g} processes that the machine was probed with",
                f"{processes:g}",
                f"{FIX}, with N of {processes:g}",
            )
        alone = [1.0, 1.0, 1.0, *table[0, 3:]]
        table = np.delete(np.vstack([alone, table]), [3, 4] if sharded else [5, 6], axis=1)
        product, memory, bytes_per_s, hop_s = (
            float(np.exp(np.interp(processes, table[:, 0], np.log(column))))
            for column in table.T[1:]
        )
        prior = PRIORS["network_latency_s"]
        busy = float(hardware.busy_w) - float(hardware.idle_w)
        idle_w = float(hardware.idle_w) / processes
        busy_w = idle_w + busy / product
        shared = replace(
            hardware,
            peak_flop_per_s=hardware.peak_flop_per_s / product,
            memory_bytes_per_s=hardware.memory_bytes_per_s / memory,
            memory_bytes=hardware.memory_bytes / processes,
            network_bytes_per_s=bytes_per_s,
            idle_w=idle_w,
            busy_w=busy_w,
            limit_w=busy_w,
        )
        return shared, replace(
            constants,
            launch_s=min(constants.launch_s * product, PRIORS["launch_s"].high),
            group_s=min(constants.group_s * product, PRIORS["group_s"].high),
            network_efficiency=1.0,
            network_latency_s=float(np.clip(hop_s, prior.low, prior.high)),
            **{name: PRIORS[name].low for name in ("overlap_tp", "overlap_ep", "overlap_dp")},
        )


def _slowdowns(works: dict[tuple[str, float], float], count: float) -> tuple[float, float]:
    """How much slower products and memory are; whole layers, which wait as a step does, count.

    Probes of version 0.1 have no layers.
    """
    slower = {
        work: seconds / works[work, 1.0] for (work, n), seconds in works.items() if n == count
    }
    product = max(1.0, slower["product"], slower.get("layers", 1.0))
    return product, max(1.0, slower["stream"])


def _line(count: float, messages: Sequence[Message]) -> tuple[float, float]:
    """Bytes/s and seconds of a hop that fit messages of so many processes best, relatively.

    seconds = halves * (bytes * (n - 1) / n / rate + (n - 1) * hop): 8 MB among two at 1 GB/s, 4 ms.
    """
    hops = min(count - 1, 4 * np.log2(count))
    rows = np.array(
        [
            (HALVES[kind] * size * (count - 1) / count, HALVES[kind] * hops, seconds)
            for kind, size, seconds in messages
        ]
    )
    relative = rows[:, :2] / rows[:, 2:]
    per_byte, hop_s = np.linalg.lstsq(relative, np.ones(len(rows)), rcond=None)[0]
    return 1 / max(float(per_byte), 1e-15), max(float(hop_s), 1e-9)
