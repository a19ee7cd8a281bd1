"""Holding something equal: each later run is lengthened or shortened until it matches the first.

FLOP, joules and elapsed time of a run are proportional to its tokens at a fixed model, plan,
machine and site, so one evaluation of each run is enough.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from energy.errors import InputError, MissingDataError, nearest
from energy.quantity import Quantity
from simulator.compare import Side
from simulator.scenario import Scenario

MEASURES: dict[str, Callable[[Side], Quantity]] = {
    "tokens": lambda side: side.record.tokens,
    "flop": lambda side: side.record.model_flop,
    "energy": lambda side: side.facility_j,
    "time": lambda side: side.record.elapsed_s,
}


def match(scenarios: Sequence[Scenario], sides: Sequence[Side], what: str) -> list[Scenario]:
    """The scenarios with the tokens at which each spends as much as the first.

    GLaM 64B/64E (600B tokens) and GPT-3 at equal FLOP: GPT-3 reads 331B tokens, not 300B.

    Raises:
        InputError: `what` is not tokens, flop, energy or time.
        MissingDataError: a run does not give that number.
    """
    if what not in MEASURES:
        known = (*MEASURES, "quality")
        raise InputError("expected --equal with a measure", what, nearest(what, known))
    spent = []
    for side in sides:
        quantity = MEASURES[what](side)
        if not quantity.value:
            raise MissingDataError(f"expected the {what} of {side.name}", quantity.source)
        spent.append(quantity.value)
    return [scenarios[0]] + [
        lengthened(scenario, spent[0] / own)
        for scenario, own in zip(scenarios[1:], spent[1:], strict=True)
    ]


def lengthened(scenario: Scenario, factor: float) -> Scenario:
    """The same run over `factor` times the tokens.

    Published hours go with the tokens (one rate); totals that were printed for the run as it was
    no longer describe it and stay behind.
    """
    seq_len = float(scenario.model.resolve().seq_len)
    tokens = scenario.run.total_tokens(seq_len) * factor
    run = scenario.run.model_copy(update={"tokens": tokens, "steps": None})
    published = scenario.published
    if published is not None and factor != 1.0:
        hours = published.elapsed_h.scaled(
            factor, source=f"{published.elapsed_h.source}, x {factor:.4g} for the tokens"
        )
        published = published.model_copy(
            update={"elapsed_h": hours, "energy_mwh": None, "co2_t": None}
        )
    return scenario.model_copy(update={"run": run, "published": published})
