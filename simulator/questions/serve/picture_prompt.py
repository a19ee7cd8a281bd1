"""The picture of `simulator serve published-prompt`."""

from __future__ import annotations

from functools import partial

from matplotlib.axes import Axes

from simulator.kit.style import ANSWER, REFERENCE, Panel, named_rows
from simulator.questions.serve.prompt import Prompt


def panels(answer: Prompt) -> list[Panel]:
    """One panel: watt-hours up to each boundary."""
    return [partial(rungs, answer)]


def rungs(answer: Prompt, axes: Axes) -> Axes:
    """Watt-hours of a prompt, and the published total."""
    for place, rung in enumerate(answer.ladder):
        axes.barh(place, rung.total.numbers()[0] / 3600, color=ANSWER, height=0.6)
    axes.axvline(
        float(answer.published["energy_wh"]), color=REFERENCE, linestyle="--", label="published"
    )
    axes.set_xlabel("energy of a median prompt / Wh (measured, its provider)")
    return named_rows(axes, [rung.name for rung in answer.ladder])
