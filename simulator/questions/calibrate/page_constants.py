"""The page of `simulator calibrate` for constants fitted to tables of throughput."""

from __future__ import annotations

import shlex

import numpy as np

from energy.reports.terminal import table
from simulator.facts.kinds import MODELS
from simulator.fit.own_words import rows_behind, setting_of
from simulator.kit.answer import Terminal
from simulator.questions.calibrate.answer import FittedConstants, FittedServing


def constants_page(answer: FittedConstants | FittedServing, console: Terminal) -> None:
    """Print fitted constants beside their priors, and which of them the rows do not determine.

    Of one's own rows, also by how much steps of that cluster are slower than predicted.
    """
    rows = table("constant", "prior", "fitted", "unit", "meaning")
    for name, value in answer.values.items():
        prior = answer.priors[name]
        rows.add_row(
            f"{name}{' *' if name in answer.not_identified else ''}",
            f"{prior.value:.3g}",
            f"{value:.3g}",
            prior.unit,
            prior.meaning,
        )
    console.print(rows)
    console.print(answer.headline)
    console.print("* not identified: the rows say little more than the prior")
    provenance = answer.pool.provenance if isinstance(answer, FittedConstants) else {}
    whose = ", of the published rows" if "own_rows" in provenance else ""
    for name, value in provenance.items():
        if name.endswith("error"):
            console.print(f"{name.replace('_', ' ')}: {value:.1%}{whose}")
    if isinstance(answer, FittedConstants):
        for line in _of_clusters(answer):
            console.print(line)
    if answer.path is not None:
        if isinstance(answer, FittedConstants):
            use = f"simulator predict SCENARIO.toml --set {setting_of(answer.path)}"
        else:
            use = f"simulator serve MODEL --constants {shlex.quote(str(answer.path))}"
        console.print(f"wrote {answer.path}; next: {use}", soft_wrap=True)


def _of_clusters(answer: FittedConstants) -> list[str]:
    """What measured rows say of other steps on their chip, by kind of model."""
    return [
        f"{chip}, {MODELS[kind]}: steps take x{np.exp(said['ln']):.2f} of their predicted time "
        f"(80 %: x{np.exp(said['ln'] - said['high']):.2f} to "
        f"x{np.exp(said['ln'] - said['low']):.2f}), by {rows_behind(said)}"
        for chip, kinds in answer.pool.own.items()
        for kind, said in kinds.items()
    ]
