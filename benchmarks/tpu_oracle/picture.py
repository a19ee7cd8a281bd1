"""The picture of docs/tpu.md: memory by part as the simulator has it, and the compiler's peak."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from matplotlib.axes import Axes

from benchmarks.tpu_oracle import ours
from benchmarks.tpu_oracle.rows import Row
from simulator.kit.style import (
    ANSWER,
    BAND,
    FACTOR,
    LOST,
    REFERENCE,
    Figure,
    bars_from,
    legend_below,
    save,
)
from simulator.kit.style import figure as style_figure

LOOKS = {
    "weights": (ANSWER, ""),
    "gradients": (LOST, ".."),
    "activations": (BAND, ""),
    "others": (FACTOR, "//"),
}
"""Colors and hatches of the parts."""


def draw(rows: list[Row], path: Path) -> None:
    """Draw every compiled program that no seed drew.

    Args:
        rows: of the compiler.
        path: of the picture, a PNG.
    """
    done = _drawn(rows)
    save(path, partial(_memory, done), size=_size(done), title=_answer(done))


def figure(rows: list[Row]) -> Figure:
    """The same picture, for a notebook."""
    done = _drawn(rows)
    return style_figure([partial(_memory, done)], _size(done), _answer(done))


def _drawn(rows: list[Row]) -> list[Row]:
    """Compiled programs that no seed drew."""
    return [row for row in rows if row.compiled and not row.case.drawn]


def _answer(rows: list[Row]) -> str:
    """What the picture shows, in a sentence."""
    ratios = [sum(ours.memory_bytes(row.case).values()) / row.peak_bytes for row in rows]
    return (
        f"{min(ratios):.2f} to {max(ratios):.2f} of the memory that the TPU compiler plans "
        f"for {len(rows)} programs of GLaM is predicted"
    )


def _size(rows: list[Row]) -> tuple[float, float]:
    return (8.0, 1.2 + 0.26 * len(rows))


def _memory(rows: list[Row], axes: Axes) -> Axes:
    """A bar a program, cut by its parts, and a mark at the compiler's peak."""
    parts = [_grouped(ours.memory_bytes(row.case)) for row in rows]
    before = [0.0] * len(rows)
    for name, (color, hatch) in LOOKS.items():
        lengths = [part[name] / 1e9 for part in parts]
        bars_from(axes, before, lengths, color=color, hatch=hatch, label=name)
        before = [start + length for start, length in zip(before, lengths, strict=True)]
    axes.plot(
        [row.peak_bytes / 1e9 for row in rows],
        range(len(rows)),
        linestyle="none",
        marker="|",
        markersize=13,
        markeredgewidth=2,
        color=REFERENCE,
        label="the compiler's peak",
    )
    axes.set_yticks(range(len(rows)), [row.case.words for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel("GB of a chip")
    legend_below(axes)
    return axes


def _grouped(parts: dict[str, float]) -> dict[str, float]:
    """The parts that have a color, and the sum of the others."""
    shown = {name: parts.get(name, 0.0) for name in LOOKS}
    return shown | {"others": sum(parts.values()) - sum(shown.values())}
