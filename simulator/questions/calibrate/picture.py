"""The picture of `simulator calibrate`: fitted constants over their priors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from matplotlib.axes import Axes

from simulator.kit.style import ANSWER, FACTOR, REFERENCE, Panel, log_x, named_rows
from simulator.questions.calibrate.answer import Fitted


def panels(answer: Fitted) -> Sequence[Panel]:
    """One panel with all constants."""
    return [partial(constants, answer)]


def constants(answer: Fitted, axes: Axes) -> Axes:
    """Each constant over its prior, with one sigma of the prior behind it."""
    for place, (name, value) in enumerate(answer.values.items()):
        prior = answer.priors[name]
        axes.barh(
            place,
            prior.factor - 1 / prior.factor,
            left=1 / prior.factor,
            color=FACTOR,
            height=0.6,
            label="one sigma of the prior" if place == 0 else None,
        )
        is_identified = name not in answer.not_identified
        axes.plot(
            value / prior.value,
            place,
            "o",
            color=ANSWER,
            markerfacecolor=ANSWER if is_identified else "white",
        )
    axes.plot([], [], "o", color=ANSWER, label="fitted")
    axes.plot([], [], "o", color=ANSWER, markerfacecolor="white", label="not identified")
    axes.axvline(1.0, color=REFERENCE, linestyle="--")
    axes.set_xlabel("constant / prior")
    return named_rows(log_x(axes), list(answer.values))
