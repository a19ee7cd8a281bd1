"""Why no plan fits, and the least that would have to change."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

from energy.errors import InfeasibleError
from energy.facts import catalog
from energy.units import si
from simulator.physics.memory import memory
from simulator.physics.plan import in_words
from simulator.plans.evaluate import Fitting
from simulator.questions.plan.search import PlanSearch

MOST_CHIPS = 131_072
"""Chips that are tried at most."""


def refuse(asked: PlanSearch, fit: Fitting) -> NoReturn:
    """Say by how much the leanest plan is too large, and what would do.

    Raises:
        InfeasibleError: always.
    """
    hardware, count = asked.machine[0], asked.scenario.hardware.count
    reason = memory(asked.shape, fit.leanest, hardware).reason()
    more, larger = enough_chips(asked), larger_chips(fit.leanest_bytes)
    ways = []
    if more is not None:
        ways.append(f"{more:,} of these chips would do")
    if larger:
        ways.append(
            f"{count:,} of a chip with {si(fit.leanest_bytes, 'B')} would do: {', '.join(larger)}"
        )
    raise InfeasibleError(
        f"expected a plan that fits {count:,} {hardware.name}",
        f"{fit.searched:,} plans, the leanest of which is too large: {reason} "
        f"({in_words(fit.leanest)})",
        "; or ".join(ways) or "neither more chips nor larger ones of the catalog would do",
    )


def enough_chips(asked: PlanSearch) -> int | None:
    """The least multiple of the chips on which a plan of the coarse space fits.

    What a plan needs does not grow with chips that share it, so the multiple is found by doubling
    and bisection; None if the most that is tried is too few.
    """
    own = asked.scenario.hardware.count

    def fits(times: int) -> bool:
        hardware = asked.scenario.hardware.model_copy(update={"count": own * times})
        larger = replace(asked, scenario=asked.scenario.model_copy(update={"hardware": hardware}))
        try:
            return len(larger.fitting(larger.space(fine=False)).found) > 0
        except InfeasibleError:
            return False

    high = 2
    while not fits(high):
        high *= 2
        if own * high > MOST_CHIPS:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return own * high


def larger_chips(needs_bytes: float, most: int = 3) -> list[str]:
    """Chips of the catalog whose memory holds so many bytes, the smallest first."""
    held = {
        chip.id: chip.memory_bytes or 0.0 for chip in catalog.chips() if chip.kind in ("gpu", "tpu")
    }
    enough = [name for name, size in held.items() if size >= needs_bytes]
    return sorted(enough, key=lambda name: held[name])[:most]
