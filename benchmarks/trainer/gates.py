"""Targets for the speed and memory of the trainer, and the measured figures."""

from __future__ import annotations

from typing import Any

from benchmarks.gate import Gate
from benchmarks.trainer.layer import DENSE, OURS, OURS_SAME_CAPACITY, ST_MOE, fastest_public

MOST_EXPERTS = 64
"""Up to so many experts, the overhead over a dense network has a limit."""


def all_gates(results: dict[str, Any]) -> list[Gate]:
    """Every gate: layers, then the whole step, then growth."""
    return [
        *layer_gates(results["layer"]),
        *step_gates(results["step"]),
        *growth_gates(results["growth"]["rows"]),
    ]


def layer_gates(rows: list[dict[str, Any]]) -> list[Gate]:
    """Speed of our layer over others.

    Ours has the tuned allocator, as under `glam train`; the others have the default one, as
    their users do.
    """
    seconds = {(row["width"], row["experts"], row["allocator"]): row["seconds"] for row in rows}
    cases = sorted({key[:2] for key in seconds})
    public, same_capacity, dense = [], [], []
    for width, experts in cases:
        case = f"layer M {width}, E {experts}"
        ours = seconds[width, experts, "tuned"]
        theirs = seconds[width, experts, "default"]
        best = fastest_public(theirs)
        public.append(
            _speed(f"{case}: speed over {best}, each by its defaults", theirs[best], ours[OURS])
        )
        if ST_MOE in theirs:
            name = f"{case}: with the same capacity, speed over {ST_MOE}"
            same_capacity.append(_speed(name, theirs[ST_MOE], ours[OURS_SAME_CAPACITY]))
        name = f"{case}: speed over the dense network, both tuned"
        dense.append(_speed(name, ours[DENSE], ours[OURS], target=0.90))
    return public + same_capacity + dense


def step_gates(results: dict[str, Any]) -> list[Gate]:
    """The whole step: speed and memory against HF Mixtral, and the share of the peak."""
    rows = {(row["contestant"], row["allocator"]): row for row in results["rows"]}

    def ratio(name: str, allocator: str) -> float:
        return float(rows["HF Mixtral", allocator][name] / rows["ours", allocator][name])

    rate = results["flop"] / rows["ours", "tuned"]["seconds"]
    share = rate / results["peak_flop_per_s"]
    return [
        Gate(
            "step: speed over HF Mixtral, both default",
            ratio("seconds", "default"),
            1.6,
            at_least=True,
        ),
        Gate(
            "step: speed over HF Mixtral, both tuned", ratio("seconds", "tuned"), 1.2, at_least=True
        ),
        Gate("step: share of the measured peak, tuned", share, 0.75, at_least=True),
        *(
            Gate(
                f"step: peak memory over HF Mixtral's, {allocator}",
                1 / ratio("peak_mb", allocator),
                1.0,
            )
            for allocator in ("default", "tuned")
        ),
    ]


def growth_gates(rows: list[dict[str, Any]]) -> list[Gate]:
    """Overhead of the whole step over its dense twin, by number of experts."""
    return [
        Gate(
            f"growth: overhead of {row['value']} experts over dense, whole step",
            overhead(row),
            0.15,
        )
        for row in rows
        if row["axis"] == "experts" and row["value"] <= MOST_EXPERTS
    ]


def overhead(row: dict[str, Any]) -> float:
    """Time of a step over that of its dense twin, less 1."""
    twin = row["dense_passes"] + row["dense_update"]
    return float((row["passes"] + row["update"]) / twin - 1)


def _speed(name: str, theirs_s: float, ours_s: float, target: float = 1.25) -> Gate:
    return Gate(name, theirs_s / ours_s, target, at_least=True)
