"""The picture of `simulator lifetime`: joules from the first day of training on."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.axes import Axes

from energy.units import J_PER_MWH, count
from simulator.kit.style import (
    ANSWER,
    BAND,
    LOST,
    LOST_BAND,
    REFERENCE,
    Panel,
    finish,
    log_x,
    log_y,
)
from simulator.questions.lifetime.answer import Lifetime

COLORS = (ANSWER, LOST)


def panels(answer: Lifetime) -> list[Panel]:
    """One panel: megawatt-hours over days of serving."""
    return [partial(over_days, answer)]


def over_days(answer: Lifetime, axes: Axes) -> Axes:
    """Training and serving together, the day of equality marked."""
    middles = [life.days.numbers()[0] for life in answer.lives]
    days = np.geomspace(min(middles) / 100, max(middles) * 10, 200)
    for life, color, shade in zip(answer.lives, COLORS, (BAND, LOST_BAND), strict=False):
        token, low, high = (
            end * answer.tokens_per_day / J_PER_MWH for end in life.token_j.numbers()
        )
        train, train_low, train_high = (end / J_PER_MWH for end in life.training_j.numbers())
        axes.fill_between(
            days,
            train_low + low * days,
            train_high + high * days,
            color=shade,
            alpha=0.5,
            label=f"{life.name}: 80 % band",
        )
        axes.plot(days, train + token * days, color=color, label=f"{life.name}: both together")
        at = life.days.numbers()[0]
        axes.plot(at, 2 * train, "D", color=color, label=f"serving = training, day {at:,.3g}")
    if answer.even_tokens.value is not None:
        even = answer.even_tokens.value / answer.tokens_per_day
        axes.axvline(even, color=REFERENCE, linestyle="--", label=f"even on day {even:,.3g}")
    axes.set_xlabel(f"days of serving {count(answer.tokens_per_day)} tokens a day")
    axes.set_ylabel("energy of the facility / MWh")
    return finish(log_y(log_x(axes)))
