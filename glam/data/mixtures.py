"""Weights of the domains: as configured, else those of a known mixture (GLaM's own), else equal."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from energy.errors import InputError
from glam.config import Corpus


@cache
def mixtures() -> dict[str, dict[str, float]]:
    """Return the mixtures of `data/mixtures.csv`, name -> domain -> weight; each sums to 1."""
    weights: dict[str, dict[str, float]] = {}
    table = files("glam.data").joinpath("mixtures.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(table.splitlines()):
        weights.setdefault(row["mixture"], {})[row["domain"]] = float(row["weight"])
    return weights


def domain_weights(config: Corpus, names: Sequence[str]) -> dict[str, float]:
    """Return the weight of each domain; they sum to 1.

    Weights are as configured; else those of the mixture that has all these names (the six domains
    of GLaM, the four of the standard library), scaled to the domains present; else equal.

    Raises:
        InputError: a weight names a domain that the corpus does not have, or all of them are 0.
    """
    unknown = sorted(set(config.weights) - set(names))
    if unknown:
        raise InputError(
            "expected weights of domains that the corpus has",
            ", ".join(unknown),
            f"its domains are {', '.join(names)}: weigh these in [corpus] weights, or name text "
            f"with --data {unknown[0]}=PATH",
        )
    matching = [weights for weights in mixtures().values() if set(names) <= set(weights)]
    default = matching[0] if matching else dict.fromkeys(names, 1.0)
    raw = {
        name: config.weights.get(name, 0.0) if config.weights else default[name] for name in names
    }
    if sum(raw.values()) <= 0:
        raise InputError("expected a weight above 0 in [corpus] weights", str(config.weights))
    return {name: weight / sum(raw.values()) for name, weight in raw.items()}
