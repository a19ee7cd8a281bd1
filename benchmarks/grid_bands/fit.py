"""Bands of the next edition over this one, by kind and level of a zone, and how often they hold.

A band reaches from the tenth to the ninetieth percentile of the ratios of its zones, by order
statistics (Weibull's plotting positions: a further zone is inside with a probability of 0.8). Of
few zones the extremes say little: there it is the interval of prediction of a log-normal ratio
(Student's t). Each band is judged on halves that it was not fitted on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.grid_bands.editions import COUNTRY, REGION, Pair
from energy.facts.grid_bands import GridBand

Floats = NDArray[np.float64]

LEVELS = {COUNTRY: (0.0, 300.0, 600.0), REGION: (0.0, 150.0)}
"""From how many grams per kWh on each band counts."""

COVERAGE = 0.8

FEW = 20
"""Of fewer zones, the band is that of a log-normal ratio."""

T_90 = dict(
    zip(
        range(2, 20),
        (
            *(1.886, 1.638, 1.533, 1.476, 1.440, 1.415, 1.397, 1.383, 1.372),
            *(1.363, 1.356, 1.350, 1.345, 1.341, 1.337, 1.333, 1.330, 1.328),
        ),
        strict=True,
    )
)
"""The 0.9 quantile of Student's t, by degrees of freedom."""

HALVES = 400
"""Random halves on which a band is judged."""


@dataclass(frozen=True)
class Band(GridBand):
    """A band and how it was judged.

    Attributes:
        low: low end, as a factor of the older figure; the rest as in `GridBand`.
        zones: how many it was fitted on.
        inside: share of the zones of the other half that were inside, mean over all halves.
        within_15: share of all zones within 15 %.
    """

    zones: int
    inside: float
    within_15: float


def bands(pairs: Sequence[Pair], seed: int = 24) -> Iterator[Band]:
    """A band for each kind and level, fitted on all zones and judged by halves."""
    for kind, levels in LEVELS.items():
        for from_g, below_g in zip(levels, (*levels[1:], np.inf), strict=True):
            ratios = np.array(
                [p.ratio for p in pairs if p.kind == kind and from_g <= p.older < below_g]
            )
            low, high = interval(ratios)
            yield Band(
                kind,
                from_g,
                below_g,
                low,
                high,
                len(ratios),
                judged(ratios, seed),
                float(np.mean(np.abs(ratios - 1) <= 0.15)),
            )


def interval(ratios: Floats, few: bool | None = None) -> tuple[float, float]:
    """The interval in which a further ratio is with a probability of `COVERAGE`.

    Args:
        ratios: of the zones.
        few: whether to take that of a log-normal ratio; by their number without it.
    """
    tail = (1 - COVERAGE) / 2
    if not (len(ratios) < FEW if few is None else few):
        low, high = np.quantile(ratios, (tail, 1 - tail), method="weibull")
        return float(low), float(high)
    logs, count = np.log(ratios), len(ratios)
    reach = T_90[count - 1] * logs.std(ddof=1) * np.sqrt(1 + 1 / count)
    middle = logs.mean()
    return float(np.exp(middle - reach)), float(np.exp(middle + reach))


def judged(ratios: Floats, seed: int) -> float:
    """Share of a half inside the band that was fitted on the other half, mean over many halves."""
    random, few = np.random.default_rng(seed), len(ratios) < FEW
    shares = []
    for _ in range(HALVES):
        order = random.permutation(len(ratios))
        fitted, other = np.split(ratios[order], [len(ratios) // 2])
        low, high = interval(fitted, few)
        shares.append(np.mean((other >= low) & (other <= high)))
    return float(np.mean(shares))
