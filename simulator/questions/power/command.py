"""The verb `power`: the load that a site sees."""

from __future__ import annotations

from typing import Annotated

import typer

from energy.app import Csv, Json, examples
from simulator.kit.answer import present
from simulator.kit.options import Explain, Plot, Set, overridden


@examples(
    "simulator power glam-64b-64e",
    "simulator power gpt3-175b --plot power.html",
    "simulator power glam-8b-64e --set hardware.count=512 --explain --json",
)
def power(
    name: Annotated[str, typer.Argument(metavar="SCENARIO", help="A preset or a scenario file.")],
    overrides: Set = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Show what the site sees: megawatts, peak, least and ramp.

    Over one step and over the run, at each boundary.
    """
    from simulator.questions.power.answer import power as answer

    present(
        answer(name, overrides=overridden(overrides)),
        as_json=as_json,
        as_csv=as_csv,
        explain=explain,
        plot=plot,
    )
