"""The picture of `simulator plan`: a step by part, of the best plan, runners-up, published ones."""

from __future__ import annotations

import textwrap
from functools import partial

from matplotlib.axes import Axes

from simulator.kit.style import PARTS, Panel, named_rows, whiskers
from simulator.physics.phases import PHASES
from simulator.questions.plan.answer import Planned

WIDTH = 46
"""Letters in a line of a plan's name."""


SHOWN = 0.001
"""Share of a step below which a part is not seen."""


def parts(found: Planned) -> list[Panel]:
    """One panel: a bar a plan, cut by the parts of its step."""
    return [partial(step_by_part, found)]


def step_by_part(found: Planned, axes: Axes) -> Axes:
    """Seconds of a step by part, with the band of the whole, the least first."""
    rows = found.drawn
    for name in PHASES:
        lengths = [option.seconds.get(name, 0.0) for _, option in rows]
        if max(lengths) < SHOWN * found.best.step_s:
            continue
        before = [
            sum(option.seconds.get(other, 0.0) for other in PHASES[: PHASES.index(name)])
            for _, option in rows
        ]
        color, hatch = PARTS[name]
        axes.barh(
            range(len(rows)),
            lengths,
            left=before,
            color=color,
            hatch=hatch,
            edgecolor="white",
            linewidth=0.6,
            height=0.62,
            label=name,
        )
    low, high = found.relative
    for place, (_, option) in enumerate(rows):
        ends = (option.step_s * (1 + low), option.step_s * (1 + high))
        whiskers(axes, place, option.step_s, *ends)
        if option is not found.best:
            axes.annotate(
                f" {option.worse:+.1%} {found.by}", (ends[1], place), va="center", fontsize="small"
            )
    axes.errorbar(
        [],
        [],
        xerr=[],
        fmt="none",
        ecolor="#222222",
        capsize=3,
        label="80 % band; all move together",
    )
    named_rows(axes, [_in_lines(f"{name}: {option.words}") for name, option in rows])
    axes.tick_params(axis="y", labelsize="small")
    axes.set_xlim(0, 1.2 * max(option.step_s for _, option in rows) * (1 + high))
    axes.set_xlabel("time of a step / s (modelled)")
    axes.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.01, 0.5))
    return axes


def _in_lines(words: str) -> str:
    """A plan in lines that end after a comma."""
    whole = ", ".join(part.replace(" ", "\u00a0") for part in words.split(", "))
    return textwrap.fill(whole, WIDTH, break_on_hyphens=False)
