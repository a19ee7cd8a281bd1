"""The pictures of `simulator power`."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.axes import Axes

from energy.quantity import Boundary, Quantity
from simulator.kit.style import ANSWER, BAND, FACTOR, REFERENCE, STEP, Panel, human_unit
from simulator.questions.power.answer import LoadProfile


def panels(profile: LoadProfile) -> list[Panel]:
    """Two panels: the site over one step, and over the run."""
    return [partial(over_a_step, profile), partial(over_the_run, profile)]


def over_a_step(profile: LoadProfile, axes: Axes) -> Axes:
    """Megawatts over one step, part after part: the chips, and what else the site draws."""
    start = 0.0
    for part in profile.parts:
        chips, site = (part.power_w[at].scaled(1e-6) for at in _ends_of(profile))
        color, hatch = STEP[part.name]
        middle = start + part.lasts_s / 2
        axes.bar(
            middle,
            _value(chips),
            width=part.lasts_s,
            color=color,
            hatch=hatch,
            edgecolor="white",
            linewidth=0,
            label=f"chips: {part.name}, {_percent(part.lasts_s / profile.step_s)}",
        )
        axes.bar(
            middle,
            _value(site) - _value(chips),
            width=part.lasts_s,
            color=FACTOR,
            bottom=_value(chips),
            hatch="\\\\",
            edgecolor="white",
            linewidth=0,
            label="hosts, switches, cooling" if not start else None,
        )
        if part.lasts_s > profile.step_s / 50:
            value, low, high = site.numbers()
            axes.errorbar(
                middle,
                value,
                yerr=[[value - low], [high - value]],
                color=REFERENCE,
                capsize=3,
                elinewidth=1,
                label=None if start else "80 % band of the site's draw",
            )
        start += part.lasts_s
    _mean_line(profile, axes)
    axes.set_xlim(0, profile.step_s)
    axes.set_xlabel("time in a step / s (parts put together, in no order of their own)")
    return _power_axis(profile, axes)


def over_the_run(profile: LoadProfile, axes: Axes) -> Axes:
    """Megawatts of the site over some checkpoints and, where one is to be expected, a failure."""
    saved, failed = profile.events
    whole_s = _value(profile.prediction.record.elapsed_s)
    window_s = min(whole_s, max(1.25 * failed.every_s, 4 * saved.every_s), 60 * saved.every_s)
    width_s, unit = human_unit(window_s / 3, "s")
    at = _ends_of(profile)[1]
    times, levels = [0.0], [profile.mean_w[at]]
    starts = [
        (number * saved.every_s, saved) for number in range(1, 1 + int(window_s / saved.every_s))
    ]
    if failed.every_s < window_s:
        # In the mean a failure comes half way between two checkpoints.
        count = int(failed.every_s / saved.every_s)
        starts.append(((count + 0.5) * saved.every_s, failed))
    for begin, event in sorted(starts, key=lambda start: start[0]):
        times += [begin, min(begin + event.lasts_s, window_s)]
        levels += [event.power_w[at], profile.mean_w[at]]
    numbers = np.array([level.scaled(1e-6).numbers() for level in (*levels, levels[-1])])
    x = np.array([*times, window_s]) / width_s
    axes.fill_between(x, numbers[:, 1], numbers[:, 2], step="post", color=BAND, label="80 % band")
    restart = f",\na restart of {failed.lasts_s:.3g} s" if failed.every_s < window_s else ""
    axes.step(
        x,
        numbers[:, 0],
        where="post",
        color=ANSWER,
        linewidth=1.5,
        label=f"{at}: training, and\ncheckpoints of {saved.lasts_s:.3g} s{restart}",
    )
    _mean_line(profile, axes)
    axes.set_xlim(0, window_s / width_s)
    axes.set_xlabel(f"time in the run / {unit} (stops in the mean; failures come at random)")
    return _power_axis(profile, axes)


def _ends_of(profile: LoadProfile) -> tuple[Boundary, Boundary]:
    """The innermost and the widest boundary of a load."""
    return next(iter(profile.mean_w)), list(profile.mean_w)[-1]


def _mean_line(profile: LoadProfile, axes: Axes) -> None:
    value = _value(profile.mean_w[_ends_of(profile)[1]]) / 1e6
    axes.axhline(
        value,
        color=REFERENCE,
        linestyle="--",
        linewidth=1,
        label=f"mean of the run: {value:.3g} MW",
    )


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0.001 else "below 0.1%"


def _power_axis(profile: LoadProfile, axes: Axes) -> Axes:
    axes.set_ylim(0, None)
    axes.set_ylabel(f"power / MW ({profile.mean_w[_ends_of(profile)[1]].origin})")
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.01, 0.5))
    return axes


def _value(quantity: Quantity) -> float:
    return quantity.numbers()[0]
