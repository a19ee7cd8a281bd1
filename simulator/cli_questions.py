"""Verbs of `simulator` that ask what a run is exposed to: failures, the hour, the place, a budget.

Each verb parses, calls and prints; heavy imports stay inside it.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli_options import (
    Basis,
    Explain,
    Json,
    Plot,
    Set,
    draw,
    examples,
    overridden,
    tell,
)

if TYPE_CHECKING:
    from simulator.plots import Panel

questions = typer.Typer(rich_markup_mode=None)


@questions.command(
    epilog=examples(
        "simulator failures glam-64b-64e --plot failures.png",
        "simulator failures --chips 16384 --days 54 --mw 25 --save 60 --explain",
        "simulator failures --chips 4096 --mtbf 30000 --spares 4 --together 8 --json",
    )
)
def failures(
    name: Annotated[
        str | None, typer.Argument(metavar="[SCENARIO]", help="A preset or a scenario file.")
    ] = None,
    chips: Annotated[int | None, typer.Option(help="Without a scenario: chips.")] = None,
    days: Annotated[
        float | None, typer.Option(help="Without a scenario: days if nothing failed.")
    ] = None,
    mw: Annotated[
        float | None, typer.Option(help="Without a scenario: megawatts of the facility.")
    ] = None,
    mtbf: Annotated[
        float | None, typer.Option(help="Chip-hours between failures that stop the job.")
    ] = None,
    save: Annotated[float | None, typer.Option(help="Seconds that a checkpoint takes.")] = None,
    restart: Annotated[
        float | None, typer.Option(help="Seconds from a failure to the next step.")
    ] = None,
    repair: Annotated[
        float | None, typer.Option(help="Hours until what failed is a spare again.")
    ] = None,
    spares: Annotated[
        int | None, typer.Option(help="Units of spare chips; enough of them without it.")
    ] = None,
    together: Annotated[int, typer.Option(help="Chips that one failure takes out.")] = 1,
    interval: Annotated[
        float | None, typer.Option(help="Seconds of training between checkpoints; else the best.")
    ] = None,
    basis: Basis = "auto",
    overrides: Set = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Say what failures cost: goodput, best checkpoint interval, spare chips, joules lost."""
    from energy.errors import InputError
    from simulator import losses, show_failures, trees

    if name is None and chips is None:
        raise InputError("expected a scenario, or its numbers instead (--chips, --days, --mw)")
    job = losses.job_of_name(name, basis, overridden(overrides), chips, days, mw)
    given = {"mtbf_chip_h": mtbf, "save_s": save, "restart_s": restart, "repair_h": repair}
    found = losses.losses(
        job,
        {key: value for key, value in given.items() if value is not None},
        spares=spares,
        unit_chips=together,
        interval_s=interval,
    )

    def panels() -> list[Panel]:
        from simulator.plots_exposure import goodput_by_chips, goodput_by_interval

        return [partial(goodput_by_interval, found), partial(goodput_by_chips, found)]

    draw(plot, panels, lambda: show_failures.page(found))
    told = {tree.name: tree for tree in trees.of_failures(found)} if explain else None
    tell(lambda: show_failures.page(found), lambda: show_failures.as_json(found), told, as_json)


@questions.command(
    epilog=examples(
        "simulator when grid-2025.csv glam-64b-64e --plot when.png",
        "simulator when grid-2025.csv --days 21 --mw 4 --stretch 1.2 --explain",
        "simulator when grid-2025.csv --days 21 --mw 4 --curtail 17:00-21:00 --repeat --json",
    )
)
def when(
    series: Annotated[
        Path, typer.Argument(metavar="SERIES.csv", help="time, and g_per_kwh or kgco2e_per_kwh.")
    ],
    name: Annotated[
        str | None, typer.Argument(metavar="[SCENARIO]", help="A preset or a scenario file.")
    ] = None,
    days: Annotated[float | None, typer.Option(help="Without a scenario: days it takes.")] = None,
    mw: Annotated[
        float | None, typer.Option(help="Without a scenario: megawatts of the facility.")
    ] = None,
    every: Annotated[float, typer.Option(help="Hours between the starts to try.")] = 24.0,
    stretch: Annotated[
        float, typer.Option(help="How many times as long pauses may make it; 1 is none.")
    ] = 1.1,
    threshold: Annotated[
        float | None, typer.Option(help="Pause above it, g/kWh; the best without it.")
    ] = None,
    curtail: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FROM-TO",
            help="No power: 17:00-21:00 every day, or two ISO times with a slash. UTC.",
        ),
    ] = None,
    repeat: Annotated[
        bool, typer.Option("--repeat", help="The series comes back after its end.")
    ] = False,
    zone: Annotated[str | None, typer.Option(help="Show this zone's flat factor too.")] = None,
    paused_share: Annotated[
        float | None, typer.Option(help="Watts while paused over watts while running.")
    ] = None,
    resume: Annotated[float | None, typer.Option(help="Seconds to go on after a pause.")] = None,
    basis: Basis = "auto",
    overrides: Set = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Say when to start and whether to pause, on a grid series of yours, against a flat factor."""
    from energy.units import S_PER_HOUR
    from simulator import show_when, trees
    from simulator.grid_series import read
    from simulator.losses import job_of_name
    from simulator.schedule import schedule, windows, yearly_factor

    known = {"spare_share": paused_share, "restart_s": resume}
    daily, once = windows(curtail or [])
    found = schedule(
        job_of_name(name, basis, overridden(overrides), days=days, mw=mw, freed=False),
        read(series),
        yearly=yearly_factor(zone),
        every_s=every * S_PER_HOUR,
        stretch=stretch,
        threshold=threshold,
        daily=daily,
        once=once,
        repeat=repeat,
        given={key: value for key, value in known.items() if value is not None},
    )

    def panels() -> list[Panel]:
        from simulator.plots_exposure import co2_by_start, co2_by_stretch

        return [partial(co2_by_start, found), partial(co2_by_stretch, found)]

    draw(plot, panels, lambda: show_when.page(found))
    told = trees.of_schedule(found) if explain else None
    tell(lambda: show_when.page(found), lambda: show_when.as_json(found), told, as_json)


@questions.command(
    epilog=examples(
        "simulator regions --below 100",
        "simulator regions FRA SWE gcp:us --sort name --json",
        "simulator regions --of gpt3-175b --kind site --explain --plot places.svg",
    )
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
    from simulator import regions as places
    from simulator import show_regions, trees
    from simulator.sides import choose_basis, read, sides

    found = places.choose(places.places(), words or [], kind=kind, below=below)
    if of is None:
        rows = places.ordered(found, sort)[:top]

        def of_places() -> list[Panel]:
            from simulator.plots_exposure import grams_by_place

            return [partial(grams_by_place, rows)]

        draw(plot, of_places, lambda: show_regions.page(rows), size=_tall(len(rows)))
        factors = {
            f"{place.id}, {leaf.name}": leaf for place in rows for leaf in trees.of_place(place)
        }
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
        from simulator.plots_exposure import run_by_place

        return [partial(run_by_place, side.record.name, there)]

    draw(plot, of_run, lambda: show_regions.moved(*told), size=_tall(len(there)))
    found_trees = {one.place.id: trees.of_moved(side.trees, one) for one in there}
    tell(
        lambda: show_regions.moved(*told),
        lambda: show_regions.moved_json(*told),
        found_trees if explain else None,
        as_json,
    )


def _tall(rows: int) -> tuple[float, float]:
    """Inches of a picture with so many rows."""
    return 7.5, min(1.4 + 0.2 * rows, 7.0)
