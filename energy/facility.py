"""From the chip's joules to the facility's: the boundary ladder, PUE, CUE and water.

chip x (host) = node x (network, storage) = IT x PUE = facility / (1 - grid loss) = generation
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from energy.quantity import Boundary, Quantity
from energy.record import raise_boundary

LADDER = (Boundary.CHIP, Boundary.NODE, Boundary.IT, Boundary.FACILITY, Boundary.GENERATION)


def facility_j(it_j: float, pue: float) -> float:
    """Joules of the facility: E_fac = PUE * E_IT (PUE as in ISO/IEC 30134-2).

    Patterson et al. (arXiv:2104.10350): E = hours * chips * mean W * PUE.
    GLaM at 280B tokens: 574 h * 1024 * 326 W = 191.6 MWh, * 1.11 = 212.7 MWh.

    Args:
        it_j: IT joules.
        pue: power usage effectiveness, at least 1.
    """
    return it_j * pue


def cue_g_per_kwh(intensity_g_per_kwh: float, pue: float) -> float:
    """Carbon usage effectiveness: grams of CO2e an IT kWh, of a site that only the grid feeds.

    CUE = CI * PUE. 429 g/kWh * 1.10 = 471.9 g a kWh of IT.
    """
    return intensity_g_per_kwh * pue


def water_l(it_kwh: float, pue: float, wue_l_per_kwh: float, ewif_l_per_kwh: float) -> float:
    """Litres of water: W = E_IT * (WUE + PUE * EWIF) (Li et al., arXiv:2304.03271).

    WUE, site litres an IT kWh, multiplies IT energy; EWIF, litres a kWh of the grid, multiplies
    facility energy. PUE is counted once.
    IT 100 kWh, PUE 1.2, WUE 1, EWIF 3: 100 * (1 + 3.6) = 460 L.
    """
    return it_kwh * (wue_l_per_kwh + pue * ewif_l_per_kwh)


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
        _, found[above] = raise_boundary(joules, below, above, factor)
    return found
