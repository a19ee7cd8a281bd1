"""What was wanted of the trainer's speed and memory, and what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.trainer.layer import DENSE, FEW_SLOTS, OURS, ST_MOE, fastest_public

MOST_EXPERTS = 64
"""Experts up to which the overhead over a dense network has a limit."""


@dataclass(frozen=True)
class Gate:
    """One line: a figure that is wanted, and the one that was found.

    Attributes:
        what: in words.
        wanted: limit.
        found: the figure.
        least: whether the limit is a lower one.
    """

    what: str
    wanted: float
    found: float
    least: bool = True

    @property
    def met(self) -> bool:
        """Whether the figure is within its limit."""
        return self.found >= self.wanted if self.least else self.found <= self.wanted

    def cells(self) -> tuple[str, ...]:
        """As a row of a table."""
        sign = "at least" if self.least else "at most"
        return (
            self.what,
            f"{sign} {self.wanted:.2f}",
            f"{self.found:.2f}",
            "yes" if self.met else "**no**",
        )


def gates(found: dict[str, Any]) -> list[Gate]:
    """Every gate, worst case first told."""
    return [
        *layer_gates(found["layer"]),
        *step_gates(found["step"]),
        *growth_gates(found["growth"]["rows"]),
    ]


def layer_gates(rows: list[dict[str, Any]]) -> list[Gate]:
    """Ours as `glam train` runs it: tuned; others under the allocator that they find: default."""
    by = {(row["width"], row["experts"], row["allocator"]): row["seconds"] for row in rows}
    cases = sorted({key[:2] for key in by})
    made = []
    for width, experts in cases:
        ours, theirs = by[width, experts, "tuned"], by[width, experts, "default"]
        best = fastest_public(theirs)
        made.append(
            Gate(
                f"layer M {width}, E {experts}: speed over {best}, each by its defaults",
                1.25,
                theirs[best] / ours[OURS],
            )
        )
    for width, experts in cases:
        ours, theirs = by[width, experts, "tuned"], by[width, experts, "default"]
        if ST_MOE in theirs:
            what = f"layer M {width}, E {experts}: with as few slots, speed over {ST_MOE}"
            made.append(Gate(what, 1.25, theirs[ST_MOE] / ours[FEW_SLOTS]))
    for width, experts in cases:
        ours = by[width, experts, "tuned"]
        made.append(
            Gate(
                f"layer M {width}, E {experts}: speed over the dense network, both tuned",
                0.90,
                ours[DENSE] / ours[OURS],
            )
        )
    return made


def step_gates(found: dict[str, Any]) -> list[Gate]:
    """Of the whole step: against HF under both allocators, share of peak, memory."""
    by = {(row["contestant"], row["allocator"]): row for row in found["rows"]}

    def ratio(name: str, allocator: str) -> float:
        return float(by["HF Mixtral", allocator][name] / by["ours", allocator][name])

    rate = found["flop"] / by["ours", "tuned"]["seconds"]
    return [
        Gate("step: speed over HF Mixtral, both default", 1.6, ratio("seconds", "default")),
        Gate("step: speed over HF Mixtral, both tuned", 1.2, ratio("seconds", "tuned")),
        Gate("step: share of the measured peak, tuned", 0.75, rate / found["peak_flop_per_s"]),
        *(
            Gate(
                f"step: peak memory over HF Mixtral's, {allocator}",
                1.0,
                1 / ratio("peak_mb", allocator),
                least=False,
            )
            for allocator in ("default", "tuned")
        ),
    ]


def growth_gates(rows: list[dict[str, Any]]) -> list[Gate]:
    """Overhead of the step over its dense twin, while experts grow."""
    few = [row for row in rows if row["axis"] == "experts" and row["value"] <= MOST_EXPERTS]
    return [
        Gate(
            f"growth: overhead of {row['value']} experts over dense, whole step",
            0.15,
            overhead(row),
            least=False,
        )
        for row in few
    ]


def overhead(row: dict[str, Any]) -> float:
    """Time of a step over that of its dense twin, less one."""
    twin = row["dense_passes"] + row["dense_update"]
    return float((row["passes"] + row["update"]) / twin - 1)
