"""The picture of `simulator serve --machine`."""

from __future__ import annotations

from functools import partial

from matplotlib.axes import Axes

from simulator.kit.style import ANSWER, Panel, named_rows
from simulator.questions.serve.machine import Answering
from simulator.questions.serve.page_machine import PARTS


def panels(answer: Answering) -> list[Panel]:
    """One panel: where the time of a pass goes."""
    return [partial(parts, answer)]


def parts(answer: Answering, axes: Axes) -> Axes:
    """Milliseconds of each part of a pass."""
    for place, name in enumerate(PARTS):
        axes.barh(place, 1e3 * float(getattr(answer.passes, name)), color=ANSWER, height=0.6)
    axes.set_xlabel("time of a pass that gives a token to each text / ms (modelled)")
    return named_rows(axes, list(PARTS.values()))
