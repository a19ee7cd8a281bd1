"""The picture of `simulator serve --plan`: joules of a token of each way."""

from __future__ import annotations

from functools import partial

from matplotlib.axes import Axes

from simulator.kit.style import ANSWER, Panel, named_rows, whiskers
from simulator.questions.serve.plans import Planned, described


def panels(answer: Planned) -> list[Panel]:
    """One panel: a bar for each way."""
    return [partial(joules, answer)]


def joules(answer: Planned, axes: Axes) -> Axes:
    """Joules of a token, or chip-seconds without watts, with the band."""
    low, high = answer.fitted.relative(answer.resolved.kind, "j_per_token", answer.resolved.family)
    names = []
    for place, option in enumerate(answer.options):
        value = option.chips / option.tokens_per_s if answer.by_chip_s else option.j_per_token
        axes.barh(place, value, color=ANSWER, height=0.6)
        ends = (value * (1 + low), value * (1 + high))
        whiskers(axes, place, value, *ends, None if place else "80 % band")
        names.append(f"{option.chips} chip{'s' if option.chips > 1 else ''}: {described(option)}")
    words = "chip-seconds of a token / s" if answer.by_chip_s else "joules of a token, chips / J"
    axes.set_xlabel(f"{words} ({answer.resolved.name}, {answer.resolved.chip.id})")
    return named_rows(axes, names)
