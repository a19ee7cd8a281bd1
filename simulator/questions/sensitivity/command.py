"""The verb `sensitivity`: which assumption moves a result."""

from __future__ import annotations

from typing import Annotated

import typer

from energy.app import Csv, Json, examples
from simulator.kit.answer import present
from simulator.kit.options import Basis, Explain, Plot, Set, Target, overridden


@examples(
    "simulator sensitivity gpt3-175b --basis published",
    "simulator sensitivity glam-mini-16e --of energy --plot tornado.png",
)
def sensitivity(
    name: Target,
    of: Annotated[str, typer.Option(help="The result: time, energy or co2.")] = "co2",
    basis: Basis = "predicted",
    accounting: Annotated[
        str, typer.Option(help="CO2 by location (gross), market (net) or as-published.")
    ] = "as-published",
    overrides: Set = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Show which assumption drives a result.

    A tornado, each assumption over its own band; then all assumptions together.
    """
    from simulator.questions.sensitivity.answer import sensitivity as answer

    present(
        answer(name, of=of, basis=basis, accounting=accounting, overrides=overridden(overrides)),
        as_json=as_json,
        as_csv=as_csv,
        explain=explain,
        plot=plot,
    )
