"""A search of a scenario's plans: their space, what fits, and the measure to minimize."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energy.errors import MissingDataError
from simulator.plans.block import Shortlist, nothing
from simulator.plans.evaluate import Evaluation, evaluate
from simulator.plans.space import Space
from simulator.runs.costs import Timed, costs, elapsed_s
from simulator.runs.setup import Setup

Array = NDArray[np.float64]

NEAR = 0.05
"""Relative distance below which the model does not distinguish plans: releases of one software
differ by as much."""


@dataclass(frozen=True)
class PlanSearch:
    """The search of a scenario's plans.

    Attributes:
        setup: the scenario, resolved; what its [plan] says is kept.
        by: what is minimized: time, energy, co2 or money.
    """

    setup: Setup
    by: str

    def evaluate(
        self,
        space: Space,
        on_progress: Callable[[int], None] = lambda _: None,
        *,
        limited: bool = True,
    ) -> Evaluation:
        """What an answer can name of a space, in its order.

        Args:
            space: of plans.
            on_progress: called with the number of plans of each block that is done.
            limited: whether plans must fit in memory.

        Raises:
            MissingDataError: as of `measure`.
        """
        setup, hardware = self.setup, self.setup.hardware
        if not limited:
            hardware = replace(hardware, memory_bytes=np.inf)
        keep = Shortlist(self.measure, NEAR)
        return evaluate(setup.shape, space, hardware, setup.constants, on_progress, keep).in_order()

    def any_fits(self, space: Space) -> bool:
        """Whether any plan of a space fits in memory."""
        setup = self.setup
        memory = evaluate(setup.shape, space, setup.hardware, setup.constants, keep=nothing)
        return memory.fitting > 0

    def space(self, fixed: dict[str, Any] | None = None, *, fine: bool = True) -> Space:
        """The space of its plans, with some axes fixed."""
        return self.setup.space(fixed, fine=fine)

    def measure(self, plans: Timed) -> Array:
        """The measure of each plan, for the whole run.

        Raises:
            MissingDataError: it needs joules and the watts of the chip are not known, or dollars
                and nothing has a price.
        """
        site = self.setup.site
        rented = site.chip_price.value is not None
        if self.by == "money" and not rented and site.electricity_price.value is None:
            raise MissingDataError(
                "expected a price of chips or electricity",
                "none",
                "name a row of simulator prices with --price, or dollars an hour with --chip-price",
            )
        if self.by == "time":
            return elapsed_s(self.setup, plans)
        taken = costs(self.setup, plans)
        if self.by == "money" and rented:
            return taken.cost_usd
        self.setup.hardware.require_watts()
        return {"energy": taken.energy_j, "co2": taken.co2_g, "money": taken.cost_usd}[self.by]
