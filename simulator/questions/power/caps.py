"""What a cap on the watts of each chip costs in time and saves in joules (`simulator power --cap`).

A cap lowers the clock, arithmetic slows, messages and memory do not (`simulator.physics.capping`).
So the time of a run rises less than its chips' watts fall, until hosts, which draw the same, take
back what the chips save.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from energy.errors import InputError
from energy.quantity import Quantity
from energy.units import change
from simulator.facts.assumptions import scenario_assumptions
from simulator.kit.answer import Answer
from simulator.physics.capping import clock_under, slowed, watts_at
from simulator.runs.estimate import Estimate
from simulator.runs.predict import Prediction, predict
from simulator.runs.spend import Spend, spend_of
from simulator.scenarios.request import Target, scenario_of

SEARCHED = 40
"""Caps among which the least joules and the least dollars are sought."""

SHOWN = 8
"""Caps that are shown where none is named."""

Range = tuple[float, float, float]
"""A middle and the ends of a band."""


@dataclass(frozen=True, kw_only=True)
class Cap:
    """A run under a cap.

    Attributes:
        cap_w: watts of a chip.
        clock: share of the full clock, with the band of the exponent.
        chip_w: mean watts of a chip.
        time: of the run, over that without a cap, likewise.
        energy: facility joules over those without a cap, likewise.
        spend: what the run takes.
        least: of what it is the least of all caps: "joules", "cost".
    """

    cap_w: float
    clock: Range
    chip_w: float
    time: Range
    energy: Range
    spend: Spend
    least: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, repr=False)
class Capped(Answer):
    """A run under caps on the watts of its chips.

    Attributes:
        name: of the scenario.
        prediction: without a cap.
        caps: from the highest to the lowest.
        beyond: caps that no clock keeps, or that do not bind, with the reason.
        assumed: the exponent and the lowest clock.
    """

    view: ClassVar[str] = "caps"

    name: str
    prediction: Prediction
    caps: list[Cap]
    beyond: dict[str, str]
    assumed: dict[str, Quantity]

    @property
    def headline(self) -> str:
        """The caps of least joules and least cost."""
        parts = []
        for cap in self.caps:
            least = ", and the least ".join(cap.least)
            if cap.least and cap.time[0] <= 1:
                parts.append(f"no cap ({cap.cap_w:.0f} W a chip) takes the least {least}")
            elif cap.least:
                parts.append(
                    f"{cap.cap_w:.0f} W a chip take the least {least} "
                    f"(time {change(cap.time[0] - 1)}, energy {change(cap.energy[0] - 1)})"
                )
        return f"{self.name}: " + "; ".join(parts)

    @property
    def panel_size(self) -> tuple[float, float]:
        """Inches of one panel."""
        return 7, 3.4


def capped(
    target: Target, caps_w: Sequence[float] = (), *, overrides: Mapping[str, Any] | None = None
) -> Capped:
    """Time, joules and dollars of a run against watts a chip.

    Args:
        target: a scenario, a preset, a model of the catalog, or the path of a scenario file.
        caps_w: watts of a chip; without any, from what it draws down to its lowest clock.
        overrides: other values by dotted key.

    Raises:
        InputError: a cap is not above 0.
        MissingDataError: the watts of its chip are not known.
    """
    wrong = [cap for cap in caps_w if not (np.isfinite(cap) and cap > 0)]
    if wrong:
        raise InputError("expected watts of a chip above 0", f"{wrong[0]:g}", "--cap 400,500")
    prediction = predict(scenario_of(target, overrides=overrides))
    prediction.setup.hardware.require_watts()
    question = _Question.of(prediction)
    most_w, least_w = question.range_w
    best = question.least(np.linspace(most_w, least_w, SEARCHED).tolist())
    beyond = {}
    for cap in caps_w:
        if cap >= most_w * (1 + 1e-9):
            beyond[f"{cap:g} W"] = f"does not bind: a chip draws {most_w:.0f} W"
        elif cap < least_w:
            beyond[f"{cap:g} W"] = f"no clock keeps it: a chip draws {least_w:.0f} W at the lowest"
    binding = [cap for cap in caps_w if f"{cap:g} W" not in beyond]
    shown = binding if caps_w else np.linspace(most_w, least_w, SHOWN).tolist()
    rows = [question.cap(cap) for cap in sorted({*shown, *best}, reverse=True)]
    return Capped(
        name=prediction.setup.scenario.name,
        prediction=prediction,
        caps=[replace(row, least=tuple(best.get(row.cap_w, ()))) for row in rows],
        beyond=beyond,
        assumed={"clock_exponent": question.exponent, "least_clock": question.lowest},
    )


@dataclass(frozen=True)
class _Question:
    """A run, its spend without a cap, and what is assumed of clocks."""

    prediction: Prediction
    whole: Spend
    exponent: Quantity
    lowest: Quantity

    @classmethod
    def of(cls, prediction: Prediction) -> _Question:
        assumed = scenario_assumptions()["power"]
        return cls(
            prediction, spend_of(prediction), assumed["clock_exponent"], assumed["least_clock"]
        )

    @property
    def range_w(self) -> tuple[float, float]:
        """Watts of a chip without a cap, and at the lowest clock."""
        estimate, setup = self.prediction.estimate, self.prediction.setup
        least = watts_at(
            estimate.step,
            self.lowest.numbers()[0],
            setup.hardware,
            setup.constants,
            self.exponent.numbers()[0],
        )
        return estimate.chip_w, least

    def least(self, caps_w: Sequence[float]) -> dict[float, list[str]]:
        """Of what a cap is the least of several, by that cap: joules, and cost if it is known."""
        middle = self.exponent.numbers()[0]
        spends = {cap_w: self._at(cap_w, middle)[2] for cap_w in caps_w}
        joules = {cap_w: spend.energy_j.numbers()[0] for cap_w, spend in spends.items()}
        best = {min(joules, key=joules.__getitem__): ["joules"]}
        if self.whole.cost_usd.value is not None:
            dollars = {cap_w: spend.cost_usd.numbers()[0] for cap_w, spend in spends.items()}
            best.setdefault(min(dollars, key=dollars.__getitem__), []).append("cost")
        return best

    def cap(self, cap_w: float) -> Cap:
        """The run under a cap, with the band of the exponent."""
        middle, *ends = (self._at(cap_w, exponent) for exponent in self.exponent.numbers())
        clock, estimate, spend = middle
        return Cap(
            cap_w=float(cap_w),
            clock=_range(clock, [end[0] for end in ends]),
            chip_w=estimate.chip_w,
            time=_range(
                _over(spend.elapsed_s, self.whole.elapsed_s),
                [_over(end[2].elapsed_s, self.whole.elapsed_s) for end in ends],
            ),
            energy=_range(
                _over(spend.energy_j, self.whole.energy_j),
                [_over(end[2].energy_j, self.whole.energy_j) for end in ends],
            ),
            spend=spend,
        )

    def _at(self, cap_w: float, exponent: float) -> tuple[float, Estimate, Spend]:
        """Clock, step and spend under a cap; at the lowest clock where an exponent needs less."""
        estimate, setup = self.prediction.estimate, self.prediction.setup
        lowest = self.lowest.numbers()[0]
        hardware, constants = setup.hardware, setup.constants
        highest = clock_under(cap_w, estimate.step, hardware, constants, exponent, lowest)
        clock = lowest if highest is None else highest
        under = replace(
            estimate,
            step=slowed(estimate.step, clock),
            chip_w=watts_at(estimate.step, clock, hardware, constants, exponent),
        )
        return clock, under, spend_of(predict(under))


def _over(quantity: Quantity, whole: Quantity) -> float:
    return quantity.numbers()[0] / whole.numbers()[0]


def _range(middle: float, ends: Sequence[float]) -> Range:
    return middle, min(middle, *ends), max(middle, *ends)
