"""The verb `when`: the hour to start, and whether to pause."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.kit.options import Basis, Explain, Json, Plot, Set, draw, examples, overridden, tell

if TYPE_CHECKING:
    from simulator.kit.style import Panel


@examples(
    "simulator when grid-2025.csv glam-64b-64e --plot when.png",
    "simulator when grid-2025.csv --days 21 --mw 4 --stretch 1.2 --explain",
    "simulator when grid-2025.csv --days 21 --mw 4 --curtail 17:00-21:00 --repeat --json",
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
    from simulator.questions.when import page as show_when
    from simulator.questions.when.answer import schedule, windows, yearly_factor
    from simulator.questions.when.series import read
    from simulator.questions.when.terms import of_schedule
    from simulator.runs.failures import job_of_name

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
        from simulator.questions.when.picture import co2_by_start, co2_by_stretch

        return [partial(co2_by_start, found), partial(co2_by_stretch, found)]

    draw(plot, panels, lambda: show_when.page(found))
    told = of_schedule(found) if explain else None
    tell(lambda: show_when.page(found), lambda: show_when.as_json(found), told, as_json)
