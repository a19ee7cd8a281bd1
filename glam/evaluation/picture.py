"""The picture of an evaluation: each task against its chance level, and joules per right answer."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from energy.colors import ANSWER, LOST, LOST_BAND, QUIET, REFERENCE
from energy.files import write_atomic, write_text_atomic
from energy.reports.picture import PLAIN_NAMES, draw, svg
from glam.evaluation.results import Evaluation, TaskResult

SETTINGS: Any = PLAIN_NAMES | {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "glam",
}


def save(path: Path, evaluation: Evaluation) -> None:
    """Draw an evaluation into a PNG or SVG file; tasks that were not run are named beneath.

    Raises:
        InputError: the file cannot be written.
    """
    ran = [result for result in evaluation.results if result.value is not None]
    left_out = [result.task.title for result in evaluation.results if result.value is None]
    # Its ticks are made while it is drawn, so the settings last until it is saved.
    with matplotlib.rc_context(SETTINGS):
        height = 1.6 + 0.3 * max(len(ran), 3) + 0.18 * math.ceil(len(left_out) / 9)
        figure = Figure(figsize=(9.0, height), layout="constrained")
        values, joules = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
        draw_values(ran, values)
        draw_joules(ran, joules)
        shots = "zero-shot" if evaluation.shots == 0 else "one-shot"
        what = f"{evaluation.name} at step {evaluation.step}, {shots}"
        figure.suptitle(f"{what}: {_above_chance(ran)}", fontsize="medium")
        if left_out:
            lines = [", ".join(left_out[i : i + 9]) for i in range(0, len(left_out), 9)]
            figure.supxlabel("not run: " + "\n".join(lines), fontsize="x-small")
        if path.suffix.lower() == ".svg":
            write_text_atomic(path, svg(figure))
        else:
            write_atomic(path, lambda file: draw(figure, file, format="png", dpi=150))


def _above_chance(ran: list[TaskResult]) -> str:
    """In how many tasks the value is above chance by more than 95 % of its sampling error."""
    above = sum(
        result.value.value - 1.96 * result.value.stderr > result.value.chance
        for result in ran
        if result.value and math.isfinite(result.value.stderr)
    )
    return f"surely above chance in {above} of {len(ran)} tasks"


def draw_values(ran: list[TaskResult], axes: Axes) -> Axes:
    """Draw each task's value with 95 % of its sampling error, and its chance level."""
    rows = range(len(ran))
    values = [100 * result.value.value for result in ran if result.value]
    errors = [
        196 * result.value.stderr if math.isfinite(result.value.stderr) else 0.0
        for result in ran
        if result.value
    ]
    chances = [100 * result.value.chance for result in ran if result.value]
    axes.errorbar(
        values,
        rows,
        xerr=errors,
        fmt="o",
        clip_on=False,
        color=ANSWER,
        label="value, 95 % of items",
    )
    axes.plot(chances, rows, "|", color=REFERENCE, markersize=12, label="chance")
    axes.set_yticks(list(rows), [f"{r.task.title} ({r.task.metric}, {r.items})" for r in ran])
    axes.set_ylim(len(ran) - 0.5, -0.5)
    axes.set_xlim(left=min(0.0, *(v - e for v, e in zip(values, errors, strict=True)), 0.0) - 2)
    axes.set_xlabel("value (%)")
    axes.grid(axis="y", color=QUIET, linewidth=0.6)
    axes.legend(fontsize="small", loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
    return axes


def draw_joules(ran: list[TaskResult], axes: Axes) -> Axes:
    """Draw each task's joules per right answer with their band; none where none was right."""
    for row, result in enumerate(ran):
        joules = result.per(result.value.correct if result.value else 0.0)
        if joules.value is None:
            axes.text(0.02, row, "none right", va="center", transform=axes.get_yaxis_transform())
            continue
        value, low, high = joules.numbers()
        axes.plot([low, high], [row, row], color=LOST_BAND, linewidth=5, solid_capstyle="butt")
        axes.plot([value], [row], "D", color=LOST)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("energy per right answer, with band / J")
    axes.grid(axis="y", color=QUIET, linewidth=0.6)
    return axes
