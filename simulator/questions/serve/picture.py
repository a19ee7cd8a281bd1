"""The picture of `simulator serve`: joules of a token by boundary, and the time of a step."""

from __future__ import annotations

from functools import partial

from matplotlib.axes import Axes

from simulator.kit.style import ANSWER, BAND, FACTOR, LOST, Panel, bar, named_rows
from simulator.questions.serve.answer import Serving
from simulator.questions.serve.page import PARTS

COLORS = (ANSWER, BAND, FACTOR, "#555555", LOST, "#dddddd", "#6a8f5a")


def panels(answer: Serving) -> list[Panel]:
    """The ladder of joules where they are known, then the parts of a step."""
    ladder = [partial(boundaries, answer)] if answer.ladder else []
    return [*ladder, partial(parts, answer)]


def boundaries(answer: Serving, axes: Axes) -> Axes:
    """Joules of a token up to each boundary."""
    for place, rung in enumerate(answer.ladder):
        bar(axes, place, rung.total, 1.0, ANSWER, None if place else "80 % band")
    axes.set_xlabel(f"joules of a token of the answer / J ({answer.ladder[-1].total.origin})")
    axes.set_xlim(0, None)
    return named_rows(axes, [rung.name for rung in answer.ladder])


def parts(answer: Serving, axes: Axes) -> Axes:
    """Milliseconds of a step by part."""
    step, start = answer.served.step, 0.0
    for (name, label), color in zip(PARTS.items(), COLORS, strict=True):
        length = 1e3 * float(getattr(step, name))
        if length < 1e-3 * 1e3 * float(step.mean_s):
            continue
        axes.barh(0, length, left=start, color=color, edgecolor="white", label=label, height=0.5)
        start += length
    axes.set_yticks([])
    axes.set_xlabel("mean step / ms")
    axes.legend(
        frameon=False, fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.35), ncols=3
    )
    return axes
