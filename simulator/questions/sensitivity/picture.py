"""The picture of `simulator sensitivity`: a tornado."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from matplotlib.axes import Axes

from simulator.kit.style import (
    ANSWER,
    BAND,
    LOST,
    REFERENCE,
    Panel,
    human_unit,
    legend_below,
    named_rows,
)
from simulator.questions.sensitivity.answer import Sensitivity


def panels(sensitivity: Sensitivity) -> Sequence[Panel]:
    """The tornado."""
    return [partial(tornado, sensitivity)]


def tornado(sensitivity: Sensitivity, axes: Axes) -> Axes:
    """What each assumption does to a result over its own band, and what all of them do."""
    middle, low, high = sensitivity.together.numbers()
    scale, unit = human_unit(middle, sensitivity.result.quantity.unit)
    axes.axvspan(
        low / scale,
        high / scale,
        color=BAND,
        alpha=0.5,
        linewidth=0,
        label="80 % band of all together",
    )
    for place, bar in enumerate(sensitivity.bars):
        for end, word, color, hatch in (
            (bar.at_low, "low", LOST, "//"),
            (bar.at_high, "high", ANSWER, ""),
        ):
            axes.barh(
                place,
                (end - middle) / scale,
                left=middle / scale,
                color=color,
                hatch=hatch,
                edgecolor="white",
                height=0.6,
                label=f"assumption at its {word} end" if place == 0 else None,
            )
    axes.axvline(middle / scale, color=REFERENCE, linewidth=1)
    axes.set_xlabel(f"{sensitivity.name}: {sensitivity.result.name} / {unit}")
    named_rows(axes, [bar.name.replace("_", " ") for bar in sensitivity.bars])
    return legend_below(axes)
