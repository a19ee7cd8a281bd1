"""Predictions above the roof: every model on every chip of the catalog, on several counts of it.

The roof is the best product that the chip is known to do (`energy.facts.roofs`); the fast end of
the band of a step counts too.
"""

from __future__ import annotations

from collections.abc import Sequence

from energy.errors import InfeasibleError, MissingDataError
from energy.facts import catalog
from simulator.runs.estimate import estimate
from simulator.runs.setup import Setup
from simulator.scenarios.request import scenario_of

COUNTS = (8, 64, 512)
TOKENS, BATCH = 1e11, 512


def above_roof(counts: Sequence[int] = COUNTS, *, every: int = 1) -> tuple[int, list[str]]:
    """How many predictions were made, and which have an MFU above the roof at either end.

    Models that do not fit on a chip, and chips without a known memory, are left out.

    Args:
        counts: chips of a prediction.
        every: each model is put on every so many-th chip, the next model on the next ones.
    """
    predicted, above = 0, []
    chips = [row.id for row in catalog.chips() if row.kind in ("gpu", "tpu")]
    for place, model in enumerate(catalog.models()):
        for chip in chips[place % every :: every]:
            for count in counts:
                try:
                    run = scenario_of(
                        model.name, tokens=TOKENS, batch=BATCH, chip=chip, chips=count
                    )
                    step = estimate(Setup.of(run))
                except (InfeasibleError, MissingDataError):
                    continue
                predicted += 1
                rate = step.mfu()
                if rate.numbers()[2] > step.setup.hardware.roof * (1 + 1e-9):
                    above.append(f"{model.name} on {count} {chip}: {rate}")
    return predicted, above
