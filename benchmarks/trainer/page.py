"""The page of the trainer's speed and memory: tables between two marks, made from one run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.trainer.gates import Gate, gates, overhead
from benchmarks.trainer.layer import DENSE, FEW_SLOTS, OURS, PUBLIC, fastest_public, flop
from energy.errors import InputError

BEGIN, END = "<!-- made by benchmarks/trainer/__main__.py -->", "<!-- end -->"


def written(page: str, found: dict[str, Any], name: str) -> str:
    """A page with everything between its marks made anew.

    Raises:
        InputError: the page has no place for it.
    """
    if BEGIN not in page or END not in page:
        raise InputError(f"expected {BEGIN} and {END} in {name}", "none", "write them there")
    head, rest = page.split(BEGIN, 1)
    return f"{head}{BEGIN}\n\n{markdown(found)}\n\n{END}{rest.split(END, 1)[1]}"


def markdown(found: dict[str, Any]) -> str:
    """All tables of a run."""
    machine = found["machine"]
    command = "make bench-train" if not found["quick"] else "benchmarks/trainer/__main__.py --quick"
    missing = [f"{name}: {why}" for name, why in found["absent"].items()]
    return "\n\n".join(
        [
            f"`{command}`, {found['date']}, {machine['cpu']}, {machine['threads']} thread(s), load "
            f"before it {machine['load']:.1f} on {machine['cores']} cores, torch {machine['torch']}"
            f", transformers {machine['transformers']}, C library {machine['libc']}. Seconds are "
            + ("processor time." if machine["threads"] == 1 else "those of the clock."),
            "## Gates",
            _gates(gates(found)),
            "## A layer, forward and backward, GFLOP/s",
            _layer(found["layer"]),
            _ceiling(found["layer"], found["step"]["peak_flop_per_s"]),
            *([f"Not measured: {'; '.join(missing)}."] if missing else []),
            "## A whole training step",
            _step(found["step"]),
            "## Growth",
            _growth(found["growth"]["rows"]),
            "What takes the time of a step, in seconds (4 layers, one thread, torch's profiler):",
            _profile(found["growth"]["profile"]),
        ]
    )


def _gates(found: Sequence[Gate]) -> str:
    return _table(("gate", "wanted", "found", "met"), (gate.cells() for gate in found))


def _layer(rows: list[dict[str, Any]]) -> str:
    names = [
        name
        for name in (OURS, FEW_SLOTS, *PUBLIC, "per-expert loop", "one-hot einsum", DENSE)
        if name in rows[0]["seconds"]
    ]
    return _table(
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
    """How much faster than the fastest public layer a layer of nothing but products would be."""
    told = []
    for row in rows:
        best = fastest_public(row["seconds"])
        most = peak * row["seconds"][best] / flop(row["width"])
        if row["allocator"] == "default":
            told.append(f"M {row['width']}, E {row['experts']}: {most:.2f} ({best})")
    return (
        "A layer that did nothing but products of matrices, at the peak below, would be so many "
        f"times as fast as the fastest public one under the default allocator: {'; '.join(told)}."
    )


def _step(found: dict[str, Any]) -> str:
    peak = found["peak_flop_per_s"]
    rows = _table(
        (
            "",
            "allocator",
            "s a step",
            "of it update",
            "tokens/s",
            "GFLOP/s",
            "of the peak",
            "peak MB",
            "of it before the first step",
        ),
        (
            (
                row["contestant"],
                row["allocator"],
                f"{row['seconds']:.2f}",
                f"{row['update_s']:.2f}",
                f"{found['tokens'] / row['seconds']:,.0f}",
                f"{found['flop'] / row['seconds'] / 1e9:.1f}",
                f"{found['flop'] / row['seconds'] / peak:.0%}",
                f"{row['peak_mb']:,.0f}",
                f"{row['built_mb']:,.0f}",
            )
            for row in found["rows"]
        ),
    )
    return f"Peak: {peak / 1e9:.1f} GFLOP/s, a product of 1,536 x 1,536 in turn.\n\n{rows}"


def _growth(rows: list[dict[str, Any]]) -> str:
    return _table(
        (
            "",
            "",
            "passes, s",
            "update, s",
            "dense: passes, s",
            "update, s",
            "overhead",
            "GFLOP/s",
            "peak MB",
            "dense: peak MB",
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


def _profile(found: dict[str, dict[str, float]]) -> str:
    groups = list(next(iter(found.values())))
    return _table(
        ("", *found),
        ((group, *(f"{parts[group]:.2f}" for parts in found.values())) for group in groups),
    )


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
