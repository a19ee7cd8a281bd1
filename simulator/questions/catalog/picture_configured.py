"""The picture of a configuration: its parameters by part, all and active."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from matplotlib.axes import Axes

from energy.shape import active_parameters, parameters
from simulator.kit.style import ANSWER, FACTOR, Panel, named_rows
from simulator.questions.catalog.answer import Configured


def panels(answer: Configured) -> Sequence[Panel]:
    """One panel with a bar for each part; none of a configuration that was refused."""
    return [partial(parts_of, answer)] if answer.configuration is not None else []


def parts_of(answer: Configured, axes: Axes) -> Axes:
    """All parameters of each part, and those that a token passes through."""
    assert answer.configuration is not None
    shape = answer.configuration.shape
    parts, active = parameters(shape), active_parameters(shape)
    names = [part for part, number in parts.items() if float(number)]
    for place, part in enumerate(names):
        all_of_it, passed = float(parts[part]) / 1e9, float(active.get(part, 0)) / 1e9
        first = place == 0
        axes.barh(place, all_of_it, color=FACTOR, height=0.6, label="all" if first else None)
        axes.barh(place, passed, color=ANSWER, height=0.3, label="active" if first else None)
    axes.set_xlabel("parameters / billion")
    return named_rows(axes, names)
