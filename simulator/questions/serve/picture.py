"""The picture of `simulator serve`: joules of a token by boundary, and the time of a step."""

from __future__ import annotations

from functools import partial

from matplotlib.axes import Axes

from simulator.kit.style import (
    ANSWER,
    BAND,
    FACTOR,
    LOST,
    STEP,
    Panel,
    bar,
    bars_from,
    named_rows,
)
from simulator.questions.serve.answer import Serving
from simulator.questions.serve.page import PARTS

LOOKS = {
    "dense": STEP["dense_ffn"],
    "experts": STEP["experts"],
    "cache": STEP["attention_scores"],
    "messages": (LOST, ".."),
    "layers": (FACTOR, "//"),
    "host": STEP["host"],
    "prompts": (BAND, "\\\\"),
}
"""Color and hatch of a part of a step, those of training where it has the same part."""


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
    for name, label in PARTS.items():
        length = 1e3 * float(getattr(step, name))
        if length < 1e-3 * 1e3 * float(step.mean_s):
            continue
        color, hatch = LOOKS[name]
        bars_from(axes, [start], [length], color=color, hatch=hatch, label=label)
        start += length
    axes.set_yticks([])
    axes.set_xlabel("mean step / ms")
    axes.legend(
        frameon=False, fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.35), ncols=3
    )
    return axes
