"""What many plans take, as arrays: seconds, watts, joules, grams, dollars of the whole run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from energy.footprint.account import Product, Times, account, raised
from energy.quantity import Boundary, Quantity
from simulator.runs.hosts import known_host
from simulator.runs.setup import Setup

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What plans take, the middle of each figure; not a number where a fact is missing.

    Attributes:
        elapsed_s: wall clock of the run.
        power_w: mean watts of the facility.
        energy_j: joules of the facility.
        co2_g: grams of CO2e, by location.
        cost_usd: rent of the chips where they have a price, else electricity.
    """

    elapsed_s: Array
    power_w: Array
    energy_j: Array
    co2_g: Array
    cost_usd: Array


class Timed(Protocol):
    """Plans of a run with what their steps take, as arrays of one shape."""

    @property
    def tokens_per_s(self) -> Array:
        """Tokens a second of all chips."""

    @property
    def chip_w(self) -> Array:
        """Mean watts of a chip."""


def elapsed_s(setup: Setup, plans: Timed) -> Array:
    """Seconds of wall clock of the run by each plan."""
    return np.asarray(setup.tokens / plans.tokens_per_s / setup.goodput.numbers()[0])


def costs(setup: Setup, plans: Timed) -> Costs:
    """What each of some plans takes at the site of a setup.

    Args:
        setup: the run and its site.
        plans: of that run.
    """
    taken_s = elapsed_s(setup, plans)
    boundary, watts = setup.hardware.power_boundary, plans.chip_w * setup.chips
    times = _times(_node_over_chip(setup, plans.chip_w))
    power_w = raised({boundary: watts}, setup.site.steps(), times, of="power", unit="W")
    result = account({boundary: watts * taken_s}, setup.site, times, taken_s * setup.chips)
    unknown = np.full_like(taken_s, np.nan)

    def known(amount: Array | None) -> Array:
        return unknown if amount is None else amount

    return Costs(
        elapsed_s=taken_s,
        power_w=power_w[Boundary.FACILITY],
        energy_j=result.totals[Boundary.FACILITY],
        co2_g=known(result.co2_location_g),
        cost_usd=known(result.cost_usd),
    )


def _node_over_chip(setup: Setup, chip_w: Array) -> Array | None:
    """Watts of a node over those of its chips, by plan; None where the site's ratio counts."""
    chip = known_host(setup.scenario, setup.hardware.power_boundary)
    return None if chip is None or chip.host_w is None else 1 + chip.host_w / chip_w


def _times(node_over_chip: Array | None) -> Times[Array]:
    """Multiply arrays by the middle of a factor, or by the ratio of each plan's node."""

    def times(amount: Array, factor: Quantity, product: Product) -> Array:
        value: Array | float = np.nan if factor.value is None else factor.value
        if node_over_chip is not None and product.factor == "node over chip":
            value = node_over_chip
        return amount * value / (product.per.value if product.per else 1.0)

    return times
