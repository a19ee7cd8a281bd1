"""The verb `regions`: where to run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.kit.options import Basis, Explain, Json, Plot, Set, draw, examples, overridden, tell

if TYPE_CHECKING:
    from simulator.kit.style import Panel


@examples(
    "simulator regions --below 100",
    "simulator regions FRA SWE gcp:us --sort name --json",
    "simulator regions --of gpt3-175b --kind site --explain --plot places.svg",
)
def regions(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[WORD ...]", help="Parts of a name; all places without one."),
    ] = None,
    of: Annotated[
        str | None,
        typer.Option(metavar="SCENARIO", help="Move this scenario or record to each place."),
    ] = None,
    kind: Annotated[str | None, typer.Option(help="zone, or site for a data centre.")] = None,
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
) -> None:
    """List grid zones and data centres with their factors, or move a run to each of them."""
    from simulator.questions.regions import answer as places
    from simulator.questions.regions import page as show_regions
    from simulator.questions.regions.terms import of_moved, of_place
    from simulator.runs.sides import choose_basis, read, sides

    found = places.choose(places.places(), words or [], kind=kind, below=below)
    if of is None:
        rows = places.ordered(found, sort)[:top]

        def of_places() -> list[Panel]:
            from simulator.questions.regions.picture import grams_by_place

            return [partial(grams_by_place, rows)]

        draw(plot, of_places, lambda: show_regions.page(rows), size=_tall(len(rows)))
        factors = {f"{place.id}, {leaf.name}": leaf for place in rows for leaf in of_place(place)}
        tell(
            lambda: show_regions.page(rows),
            lambda: show_regions.as_json(rows),
            factors if explain else None,
            as_json,
        )
        return
    one = read([of], overridden(overrides))
    (side,) = sides(one, choose_basis(one, basis), "as-published")
    there = places.ordered_runs(places.move(side.record, found), sort)[:top]
    told = (side.record, there)

    def of_run() -> list[Panel]:
        from simulator.questions.regions.picture import run_by_place

        return [partial(run_by_place, side.record.name, there)]

    draw(plot, of_run, lambda: show_regions.moved(*told), size=_tall(len(there)))
    found_trees = {one.place.id: of_moved(side.trees, one) for one in there}
    tell(
        lambda: show_regions.moved(*told),
        lambda: show_regions.moved_json(*told),
        found_trees if explain else None,
        as_json,
    )


def _tall(rows: int) -> tuple[float, float]:
    """Inches of a picture with so many rows."""
    return 7.5, min(1.4 + 0.2 * rows, 7.0)
