"""How many experts a batch touches, and how much fuller than the mean the busiest chip is.

Symbols: E experts, K chosen by a token, n tokens, e chips with E / e experts each. The popularity
of experts has the standard deviation c over its mean: 0 is a uniform load. `spread_of` measures c
in the log of a router.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from energy.shape import Number, plain
from simulator.physics.expert_load import ExpertLoad

LARGEST = (0.0, 0.0, 0.564, 0.846, 1.029, 1.163, 1.267, 1.352, 1.424)
"""Mean of the largest of 0 to 8 standard normal values (David and Nagaraja, Order Statistics)."""


def touched(experts: Number, chosen: Number, tokens: Number, spread: Number) -> Number:
    """Share of the experts that at least one of n tokens chooses.

    The first token touches K / E. A further one misses an expert with the probability 1 - K / E; if
    popularity has a gamma distribution, all of them miss it with (1 + c^2 a)^(-1/c^2), where
    a = -(n - 1) ln(1 - K / E), which is the zero of a negative binomial; exp(-a) at c = 0.
    K 8 of E 128 and n 32: 0.873 of a uniform load; 0.709 at c = 1.

    Args:
        experts: E.
        chosen: K.
        tokens: n; below 1 a step has a token only sometimes.
        spread: c.
    """
    share = np.minimum(np.asarray(chosen, float) / experts, 1 - 1e-9)
    first = np.minimum(np.asarray(tokens, float), 1) * share
    a = -np.maximum(np.asarray(tokens, float) - 1, 0) * np.log1p(-share)
    squared = np.maximum(np.asarray(spread, float) ** 2, 1e-9)
    missed = np.exp(-np.log1p(squared * a) / squared)
    return plain(1 - (1 - first) * missed)


def busiest_touched(share: Number, experts: Number, chips: Number) -> Number:
    """Share of its experts that the busiest of e chips has touched, at most all.

    The experts of a chip are touched or not, E / e of them: mean q, standard deviation
    sqrt(q (1 - q) e / E), and the largest of e such values is that many deviations above.
    Half of 16 experts on 8 chips: 0.5 + 1.42 * 0.35 = 1.

    Args:
        share: q, of all experts.
        experts: E.
        chips: e.
    """
    q = np.asarray(share, float)
    deviation = np.sqrt(q * (1 - q) * np.asarray(chips, float) / experts)
    return plain(np.minimum(q + largest(chips) * deviation, 1))


def busiest_tokens(experts: Number, chosen: Number, tokens: Number, spread: Any, chips: Any) -> Any:
    """Tokens of the busiest of e chips over those of the mean chip, at most e.

    1 + z sqrt(c^2 e / E + e / (n K)): popularity, and the luck of few draws. Without end, 8 chips
    with 16 experts each at c = 0.7: 1 + 1.42 * 0.7 / 4 = 1.25.
    """
    each = np.maximum(np.asarray(tokens, float) * chosen / chips, 1e-9)
    deviation = np.sqrt(np.asarray(spread, float) ** 2 * chips / experts + 1 / each)
    return np.minimum(1 + largest(chips) * deviation, chips)


def largest(chips: Number) -> Number:
    """Standard deviations by which the largest of some normal values is above their mean.

    Beyond 8 it grows as sqrt(2 ln e), as the theory of extremes has it.
    """
    count = np.asarray(chips, float)
    few = np.interp(count, np.arange(len(LARGEST)), LARGEST)
    many = LARGEST[-1] * np.sqrt(np.log(np.maximum(count, 8)) / np.log(8))
    return plain(np.where(count > 8, many, few))


def spread_of(load: ExpertLoad) -> float:
    """C of a measured load: the mean over its layers and steps.

    0.4, 0.1, 0.4, 0.1 have the mean 0.25 and the standard deviation 0.15: 0.6.
    """
    return float((load.table.std(-1) / load.table.mean(-1)).mean())
