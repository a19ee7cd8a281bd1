"""One measured row of a cluster, or a few: by how much its other rates are scaled, and how sure.

The error of a prediction is b + w, b of the cluster and w of the row, with the spreads that
`simulator.fit.newcomers` finds between and within sources. Given n rows with the mean error r, the
cluster's b is expected at

    r * between^2 / (between^2 + within^2 / n)

for models of the same kind. What a row says of the other kind is less, and fitted as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from energy.errors import MissingDataError
from simulator.facts.kinds import KINDS
from simulator.fit.from_rows import measured_rates
from simulator.fit.pool import Pool
from simulator.fit.throughput import evaluate
from simulator.published.throughput import ThroughputRow

Slowdowns = dict[str, dict[str, float]]
"""By kind of model: ln of the slowdown, the rows behind it, and the ends of the band left."""


def scale(errors: Mapping[str, Sequence[float]], newcomers: Mapping[str, Any]) -> Slowdowns:
    """What measured rows of one cluster say of all other rows of it.

    Args:
        errors: ln(predicted / measured) of rows, by kind of model.
        newcomers: spreads by kind, as a constants file has them.

    Raises:
        MissingDataError: the constants have no spreads.
    """
    needed = ("between", "within", "given_one")
    if any(newcomers.get(kind, {}).get(name) is None for kind in KINDS for name in needed):
        raise MissingDataError(
            "expected constants with spreads between and within sources",
            "none",
            "leave --constants out, or fit them: simulator calibrate --newcomers",
        )
    expected = {
        kind: _expected(values, newcomers[kind]) for kind, values in errors.items() if len(values)
    }
    table: Slowdowns = {}
    for kind in KINDS:
        if kind in expected:
            count = len(errors[kind])
            table[kind] = {"ln": expected[kind], "rows": count} | _band(count, newcomers[kind])
        elif expected:
            other = next(iter(expected.values()))
            ends = newcomers[kind]["new_publisher"]
            share = newcomers["other_kind"]["share"]
            table[kind] = {"ln": share * other, "rows": 0, "low": ends["low"], "high": ends["high"]}
    return table


def _expected(errors: Sequence[float], spreads: Mapping[str, Any]) -> float:
    between, within = spreads["between"] ** 2, spreads["within"] ** 2
    return float(np.mean(errors) * between / (between + within / len(errors)))


def _band(rows: int, spreads: Mapping[str, Any]) -> dict[str, float]:
    """The band of one known row, narrower for more as the variance that is left."""
    between, within = spreads["between"] ** 2, spreads["within"] ** 2

    def variance(n: int) -> float:
        return float(within + between * within / (n * between + within))

    narrower = float(np.sqrt(variance(rows) / variance(1)))
    return {end: spreads["given_one"][end] * narrower for end in ("low", "high")}


def scaled_to(rows: Sequence[ThroughputRow], base: Pool) -> Pool:
    """A pool with the clusters of some measured rows, each chip by its own rows.

    Args:
        rows: measured, one or a few of each chip.
        base: whose predictions are scaled.
    """
    off = np.log(evaluate(rows, base).tokens_per_s / measured_rates(rows))
    errors: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row, error in zip(rows, off.tolist(), strict=True):
        errors[row.chip.id][row.kind].append(error)
    own = {chip: scale(by_kind, base.newcomers) for chip, by_kind in errors.items()}
    return replace(base, own=base.own | own)
