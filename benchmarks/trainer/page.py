"""The tables of the page about the trainer's speed and memory, made from one run."""

from __future__ import annotations

from typing import Any

from benchmarks.gate import Gate
from benchmarks.pages import markdown_table
from benchmarks.trainer.gates import all_gates, overhead
from benchmarks.trainer.layer import (
    DENSE,
    LOOP,
    ONE_HOT,
    OURS,
    OURS_SAME_CAPACITY,
    PUBLIC,
    fastest_public,
    flop,
)

MARK = "tables: benchmarks.trainer"
GATE_HEADS = ("gate", "target", "measured", "met")


def tables(results: dict[str, Any]) -> str:
    """All tables of a run, in Markdown."""
    absent = [f"{name}: {reason}" for name, reason in results["absent"].items()]
    gates = [gate_cells(gate) for gate in all_gates(results)]
    return "\n\n".join(
        [
            _conditions(results),
            "## Gates",
            markdown_table(GATE_HEADS, gates),
            "## A layer, forward and backward, GFLOP/s",
            _layer(results["layer"]),
            _ceiling(results["layer"], results["step"]["peak_flop_per_s"]),
            *([f"Not measured: {'; '.join(absent)}."] if absent else []),
            "## A whole training step",
            _step(results["step"]),
            "## Growth",
            _growth(results["growth"]["rows"]),
            "Time of a step by operation, in seconds (4 layers, one thread, torch's profiler):",
            _profile(results["growth"]["profile"]),
        ]
    )


def gate_cells(gate: Gate) -> tuple[str, ...]:
    """The row of the table of gates."""
    return gate.name, gate.target("{:.2f}".format), f"{gate.value:.2f}", gate.verdict


def _conditions(results: dict[str, Any]) -> str:
    """Command, date, machine and software."""
    machine = results["machine"]
    command = "python -m benchmarks.trainer --quick" if results["quick"] else "make bench-train"
    clock = "processor time" if machine["threads"] == 1 else "elapsed time"
    return (
        f"`{command}`, {results['date']}, {machine['cpu']}, {machine['threads']} thread(s), load "
        f"before the run {machine['load']:.1f} on {machine['cores']} cores, torch "
        f"{machine['torch']}, transformers {machine['transformers']}, C library "
        f"{machine['libc']}. Seconds are {clock}."
    )


def _layer(rows: list[dict[str, Any]]) -> str:
    names = [
        name
        for name in (OURS, OURS_SAME_CAPACITY, *PUBLIC, LOOP, ONE_HOT, DENSE)
        if name in rows[0]["seconds"]
    ]
    return markdown_table(
        ("M", "E", "allocator", *names),
        (
            (
                str(row["width"]),
                str(row["experts"]),
                row["allocator"],
                *(f"{flop(row['width']) / row['seconds'][name] / 1e9:.1f}" for name in names),
            )
            for row in rows
        ),
    )


def _ceiling(rows: list[dict[str, Any]], peak: float) -> str:
    """Largest possible speed-up over the fastest public layer: nothing but products, at peak.

    Args:
        rows: of the layers.
        peak: FLOP/s of a large square product.
    """
    speedups = []
    for row in rows:
        if row["allocator"] == "default":
            best = fastest_public(row["seconds"])
            speedup = peak * row["seconds"][best] / flop(row["width"])
            speedups.append(f"M {row['width']}, E {row['experts']}: {speedup:.2f} ({best})")
    return (
        "Largest possible speed-up over the fastest public layer under the default allocator, for "
        "a layer that does nothing but matrix products, at the peak below: "
        f"{'; '.join(speedups)}."
    )


def _step(results: dict[str, Any]) -> str:
    peak = results["peak_flop_per_s"]
    rows = markdown_table(
        (
            "contestant",
            "allocator",
            "step, s",
            "update, s",
            "tokens/s",
            "GFLOP/s",
            "share of peak",
            "peak memory, MB",
            "before the first step, MB",
        ),
        (
            (
                row["contestant"],
                row["allocator"],
                f"{row['seconds']:.2f}",
                f"{row['update_s']:.2f}",
                f"{results['tokens'] / row['seconds']:,.0f}",
                f"{results['flop'] / row['seconds'] / 1e9:.1f}",
                f"{results['flop'] / row['seconds'] / peak:.0%}",
                f"{row['peak_mb']:,.0f}",
                f"{row['built_mb']:,.0f}",
            )
            for row in results["rows"]
        ),
    )
    return (
        f"Peak: {peak / 1e9:.1f} GFLOP/s, a product of two 1,536 x 1,536 matrices, timed in turns "
        f"with the rest.\n\n{rows}"
    )


def _growth(rows: list[dict[str, Any]]) -> str:
    return markdown_table(
        (
            "axis",
            "value",
            "passes, s",
            "update, s",
            "dense: passes, s",
            "dense: update, s",
            "overhead",
            "GFLOP/s",
            "peak memory, MB",
            "dense: peak memory, MB",
        ),
        (
            (
                row["axis"],
                f"{row['value']:,}",
                f"{row['passes']:.2f}",
                f"{row['update']:.3f}",
                f"{row['dense_passes']:.2f}",
                f"{row['dense_update']:.3f}",
                f"{overhead(row):+.1%}",
                f"{row['flop'] / (row['passes'] + row['update']) / 1e9:.1f}",
                f"{row['peak_mb']:,.0f}",
                f"{row['dense_peak_mb']:,.0f}",
            )
            for row in rows
        ),
    )


def _profile(profiles: dict[str, dict[str, float]]) -> str:
    groups = list(next(iter(profiles.values())))
    return markdown_table(
        ("operations", *profiles),
        [(group, *(f"{parts[group]:.2f}" for parts in profiles.values())) for group in groups],
    )
