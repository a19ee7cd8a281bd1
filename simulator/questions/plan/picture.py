"""The picture of `simulator plan`: a step by phase: the best plan, runners-up, published ones."""

from __future__ import annotations

import textwrap
from functools import partial

from matplotlib.axes import Axes

from simulator.kit.style import (
    REFERENCE,
    STEP,
    Panel,
    bars_from,
    legend_below,
    named_rows,
    whiskers,
)
from simulator.physics.phases import PHASES
from simulator.questions.plan.answer import Planned

WIDTH = 46
"""Characters in a line of a plan's name."""


SHOWN = 0.001
"""Share of a step below which a phase is not drawn."""


def panels(planned: Planned) -> list[Panel]:
    """One panel: a bar a plan, cut by the phases of its step."""
    return [partial(step_by_phase, planned)]


def step_by_phase(planned: Planned, axes: Axes) -> Axes:
    """Seconds of a step by phase, with the band of the whole, the least first."""
    rows = planned.rows
    for name in PHASES:
        lengths = [option.seconds.get(name, 0.0) for _, option in rows]
        if max(lengths) < SHOWN * planned.best.step_s:
            continue
        before = [
            sum(option.seconds.get(other, 0.0) for other in PHASES[: PHASES.index(name)])
            for _, option in rows
        ]
        color, hatch = STEP[name]
        bars_from(axes, before, lengths, color=color, hatch=hatch, label=name)
    for place, (_, option) in enumerate(rows):
        ends = option.estimate.step_s.numbers()[1:]
        whiskers(axes, place, option.step_s, *ends)
        if option is not planned.best:
            axes.annotate(
                f" {option.worse:+.1%} {planned.by}",
                (ends[1], place),
                va="center",
                fontsize="small",
            )
    axes.errorbar(
        [],
        [],
        xerr=[],
        fmt="none",
        ecolor=REFERENCE,
        capsize=3,
        label="80 % band; all move together",
    )
    named_rows(axes, [_in_lines(f"{name}: {option.words}") for name, option in rows])
    axes.tick_params(axis="y", labelsize="small")
    axes.set_xlim(0, 1.2 * max(option.estimate.step_s.numbers()[2] for _, option in rows))
    axes.set_xlabel("time of a step / s (modelled)")
    return legend_below(axes)


def _in_lines(words: str) -> str:
    """A plan in lines that end after a comma."""
    whole = ", ".join(part.replace(" ", "\u00a0") for part in words.split(", "))
    return textwrap.fill(whole, WIDTH, break_on_hyphens=False)
