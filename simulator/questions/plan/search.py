"""A search of a scenario's plans: their space, what fits of it, and what is to be least."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energy.errors import MissingDataError
from energy.footprint import facility
from energy.quantity import Boundary
from energy.shape import Shape
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.plan import AXES, Plan
from simulator.plans.evaluate import Fitting, Found, fitting
from simulator.plans.space import Space, space
from simulator.runs.hosts import placed
from simulator.runs.setup import allowed, machine_of, plan_fields, usual_widths
from simulator.scenarios.scenario import Scenario

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PlanSearch:
    """The search of a scenario's plans.

    Attributes:
        scenario: model, chips, place and run; what its [plan] says is kept.
        by: what is to be least: time, energy, co2 or money.
    """

    scenario: Scenario
    by: str

    @cached_property
    def shape(self) -> Shape:
        """Of its model."""
        return self.scenario.model.resolve()

    @cached_property
    def machine(self) -> tuple[Hardware, Constants, tuple[str, ...]]:
        """Its chips, their constants, and where both come from."""
        return machine_of(self.scenario, self.shape)

    def space(self, fixed: dict[str, Any] | None = None, *, fine: bool = True) -> Space:
        """The space of its plans, some of them fixed."""
        one, shape = self.scenario, self.shape
        batch, count = one.run.sequences(float(shape.seq_len)), one.hardware.count
        base = Plan(
            **(usual_widths(one) | plan_fields(one, shape)), n_chips=count, global_batch=batch
        )
        own = {name: value for name, value in one.plan.items() if name in AXES} | (fixed or {})
        given = allowed(one) | {name: [value] for name, value in own.items()}
        return space(shape, count, batch, base, given, fine=fine)

    def fitting(
        self, plans: Space, told: Callable[[int], None] = lambda _: None, *, limit: bool = True
    ) -> Fitting:
        """What fits of a space, or all of it as if memory were no limit."""
        hardware, constants, _ = self.machine
        if not limit:
            hardware = replace(hardware, memory_bytes=np.inf)
        return fitting(self.shape, plans, hardware, constants, told)

    def measure(self, found: Found) -> Array:
        """What is to be least, up to a factor that all plans share.

        Joules of the facility follow from its watts, which are a straight line in those of a chip:
        hosts draw the same whatever their chips do.

        Raises:
            MissingDataError: it asks for joules and nobody knows the watts, or for dollars without
                a price.
        """
        site = self.scenario.site.resolve()
        rent = site.chip_price.value is not None
        if self.by == "money" and not rent and site.electricity_price.value is None:
            raise MissingDataError(
                "expected a price of chips or electricity",
                "none",
                "name a row of simulator prices with --price",
            )
        if self.by == "time" or (self.by == "money" and rent) or not len(found):
            return found.step_s
        ends = [float(np.min(found.chip_w)), float(np.max(found.chip_w))]
        return found.step_s * np.interp(found.chip_w, ends, [self._facility_w(w) for w in ends])

    def _facility_w(self, chip_w: float) -> float:
        hardware, _, _ = self.machine
        watts, at = hardware.watts(chip_w), hardware.power_boundary
        steps = placed(self.scenario, at, watts).steps()
        return facility.raised({at: watts}, steps)[Boundary.FACILITY].numbers()[0]
