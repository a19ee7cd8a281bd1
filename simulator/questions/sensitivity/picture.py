"""The tornado of `simulator sensitivity`."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from energy.quantity import Quantity
from simulator.kit.style import ANSWER, BAND, LOST, REFERENCE, human_unit, named_rows
from simulator.questions.sensitivity.answer import Bar
from simulator.terms import Term


def tornado(name: str, answer: Term, bars: Sequence[Bar], together: Quantity, axes: Axes) -> Axes:
    """What each assumption does to an answer over its own band, and what all of them do."""
    middle, low, high = together.numbers()
    scale, unit = human_unit(middle, answer.quantity.unit)
    axes.axvspan(
        low / scale,
        high / scale,
        color=BAND,
        alpha=0.5,
        linewidth=0,
        label="80 % band of all together",
    )
    for place, bar in enumerate(bars):
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
    axes.set_xlabel(f"{name}: {answer.name} / {unit}")
    named_rows(axes, [bar.name.replace("_", " ") for bar in bars])
    axes.legend(
        frameon=False, fontsize="small", loc="upper center", ncols=3, bbox_to_anchor=(0.4, -0.14)
    )
    return axes
