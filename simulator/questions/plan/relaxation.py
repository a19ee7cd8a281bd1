"""Why no plan fits, and the least that would have to change."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

from energy.errors import InfeasibleError
from energy.facts import catalog
from energy.units import si
from simulator.physics.memory import memory
from simulator.physics.plan import in_words
from simulator.plans.evaluate import Evaluation
from simulator.questions.plan.search import PlanSearch

MOST_CHIPS = 131_072
"""The most chips that are tried."""


def refuse(search: PlanSearch, evaluation: Evaluation) -> NoReturn:
    """Say by how much the leanest plan is too large, and what would be enough.

    Raises:
        InfeasibleError: always.
    """
    setup, leanest = search.setup, evaluation.leanest
    reason = memory(setup.shape, leanest, setup.hardware).reason()
    more, larger = enough_chips(search), larger_chips(evaluation.leanest_bytes)
    ways = []
    if more is not None:
        ways.append(f"{more:,} of these chips would do")
    if larger:
        ways.append(
            f"{setup.chips:,} of a chip with {si(evaluation.leanest_bytes, 'B')} would do: "
            f"{', '.join(larger)}"
        )
    raise InfeasibleError(
        f"expected a plan that fits {setup.chips:,} {setup.hardware.name}",
        f"{evaluation.considered:,} plans, the leanest of which is too large: {reason} "
        f"({in_words(leanest)})",
        "; or ".join(ways) or "neither more chips nor larger ones of the catalog would do",
    )


def enough_chips(search: PlanSearch) -> int | None:
    """The least multiple of the chips on which a plan of the coarse space fits.

    What a plan needs does not grow with the chips that share it, so the multiple follows by
    doubling and bisection; None if the most that is tried is too few.
    """
    own = search.setup.chips

    def fits(times: int) -> bool:
        larger = replace(search, setup=search.setup.on(own * times))
        try:
            return larger.any_fits(larger.space(fine=False))
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
    sizes = {
        chip.id: chip.memory_bytes or 0.0 for chip in catalog.chips() if chip.kind in ("gpu", "tpu")
    }
    enough = [name for name, size in sizes.items() if size >= needs_bytes]
    return sorted(enough, key=lambda name: sizes[name])[:most]
