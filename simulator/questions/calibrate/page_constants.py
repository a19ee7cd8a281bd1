"""The page of `simulator calibrate` for constants fitted to tables of throughput."""

from __future__ import annotations

from energy.reports.terminal import table
from simulator.kit.answer import Terminal
from simulator.questions.calibrate.answer import FittedConstants, FittedServing


def constants_page(answer: FittedConstants | FittedServing, console: Terminal) -> None:
    """Print fitted constants beside their priors, and which of them the rows do not determine."""
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
    for name, value in provenance.items():
        if name.endswith("error"):
            console.print(f"{name.replace('_', ' ')}: {value:.1%}")
    if answer.path is not None:
        console.print(f"wrote {answer.path}")
