"""The verb `regions`: where to run."""

from __future__ import annotations

from typing import Annotated

import typer

from energy.app import Csv, Json, examples
from simulator.kit.answer import present
from simulator.kit.options import Basis, Explain, Plot, Set, overridden


@examples(
    "simulator regions --below 100",
    "simulator regions FRA SWE gcp:us --sort name --json",
    "simulator regions --of gpt3-175b --kind site --explain --plot places.svg",
)
def regions(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="WORD", help="Parts of a name; all places by default."),
    ] = None,
    of: Annotated[
        str | None,
        typer.Option(metavar="SCENARIO", help="Move this scenario, model or record to each place."),
    ] = None,
    kind: Annotated[str | None, typer.Option(help="zone, or site for a data center.")] = None,
    below: Annotated[float | None, typer.Option(help="At most so many g/kWh, gross.")] = None,
    sort: Annotated[
        str, typer.Option(help="co2, market, pue, water, name, year; energy with --of.")
    ] = "co2",
    top: Annotated[int | None, typer.Option(min=1, help="Show only the first.")] = None,
    basis: Basis = "auto",
    overrides: Set = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """List grid zones and data centers, or move a run to each."""
    from simulator.questions.regions.answer import regions as answer

    places = answer(
        *(words or ()),
        of=of,
        kind=kind,
        below=below,
        sort=sort,
        top=top,
        basis=basis,
        overrides=overridden(overrides),
    )
    present(places, as_json=as_json, as_csv=as_csv, explain=explain, plot=plot)
