"""The picture of `simulator power --cap`: time and joules against watts a chip."""

from __future__ import annotations

from functools import partial

from matplotlib.axes import Axes

from simulator.kit.style import ANSWER, BAND, FACTOR, REFERENCE, Panel, finish
from simulator.questions.power.caps import Capped


def panels(answer: Capped) -> list[Panel]:
    """One panel: both over those without a cap."""
    return [partial(against_watts, answer)]


def against_watts(answer: Capped, axes: Axes) -> Axes:
    """Time and joules over those without a cap, by the watts of a chip."""
    watts = [cap.cap_w for cap in answer.caps]
    for name, line, color, ratios in (
        ("energy", "o-", ANSWER, [cap.energy for cap in answer.caps]),
        ("time", "s:", FACTOR, [cap.time for cap in answer.caps]),
    ):
        middle, low, high = zip(*ratios, strict=True)
        label = None if name == "energy" else "80 % band (exponent of watts)"
        axes.fill_between(watts, low, high, color=BAND, alpha=0.6, label=label)
        axes.plot(watts, middle, line, color=color, label=f"{name} of the run")
    axes.axhline(1, color=REFERENCE, linestyle="--", linewidth=1, label="without a cap")
    for cap in answer.caps:
        if cap.least:
            label = f"least {' and '.join(cap.least)}: {cap.cap_w:.0f} W"
            axes.axvline(cap.cap_w, color=REFERENCE, linestyle=":", linewidth=1, label=label)
    axes.set_xlabel("cap on a chip / W")
    axes.set_ylabel("over the run without a cap / 1")
    return finish(axes)
