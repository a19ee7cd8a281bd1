"""The verb `power`: the load that a site sees."""

from __future__ import annotations

from typing import Annotated

import typer

from energy.app import Csv, Json, examples
from simulator.kit.answer import Answer, present
from simulator.kit.options import ChipPrice, Explain, Plot, Set, Target, overridden


@examples(
    "simulator power glam-64b-64e",
    "simulator power gpt3-175b --plot power.html",
    "simulator power glam-8b-64e --set hardware.count=512 --explain --json",
    "simulator power glam-8b-64e --cap auto --plot caps.png",
)
def power(
    name: Target,
    cap: Annotated[
        str | None,
        typer.Option(
            metavar="WATTS|auto",
            help="Time and joules under caps of a chip: 300,400, or auto for all.",
        ),
    ] = None,
    chip_price: ChipPrice = None,
    overrides: Set = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Show what the site sees: megawatts, peak, least and ramp.

    Over one step and over the run, at each boundary.
    """
    values = overridden(overrides, chip_price)
    if cap is None:
        from simulator.questions.power.answer import power as answer

        result: Answer = answer(name, overrides=values)
    else:
        from simulator.questions.power.caps import capped

        result = capped(name, _watts(cap), overrides=values)
    present(
        result,
        as_json=as_json,
        as_csv=as_csv,
        explain=explain,
        plot=plot,
    )


def _watts(text: str) -> list[float]:
    """Watts as the option writes them: "300,400"; none for "auto"."""
    try:
        return [] if text == "auto" else [float(word) for word in text.split(",")]
    except ValueError:
        raise typer.BadParameter(
            f"expected watts such as 300,400, or auto; got {text}", param_hint="--cap"
        ) from None
