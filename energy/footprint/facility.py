"""From the chip's joules to the facility's: the boundary ladder, PUE, CUE and water.

chip x (host) = node x (network, storage) = IT x PUE = facility / (1 - grid loss) = generation
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from energy.quantity import Boundary, Quantity
from energy.record import raise_boundary

LADDER = (Boundary.CHIP, Boundary.NODE, Boundary.IT, Boundary.FACILITY, Boundary.GENERATION)


def raised(
    totals: Mapping[Boundary, Quantity], steps: Mapping[Boundary, Quantity]
) -> dict[Boundary, Quantity]:
    """The totals with those of wider boundaries that can be derived from them.

    Each step starts at the widest boundary below that has joules; what was measured is never
    replaced by what a factor makes of a narrower boundary.

    Args:
        totals: joules by boundary.
        steps: the factor that leads to a boundary from the one before it.
    """
    found = dict(totals)
    for below, above in itertools.pairwise(LADDER):
        joules, factor = found.get(below), steps.get(above)
        if above in found or joules is None or factor is None:
            continue
        found[above] = raise_boundary(joules, below, above, factor)
    return found
