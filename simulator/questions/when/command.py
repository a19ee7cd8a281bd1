"""The verb `when`: the time to start, and whether to pause."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from energy.app import Csv, Json, examples
from simulator.kit.answer import present
from simulator.kit.options import TARGET, Basis, Explain, Plot, Set, overridden

Curtail = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FROM-TO",
        help="No power: 17:00-21:00 every day, or two ISO times with a slash.",
    ),
]

Column = Annotated[
    str | None, typer.Option(metavar="NAME", help="Of the intensity, where there are several.")
]

TimeColumn = Annotated[
    str | None, typer.Option(metavar="NAME", help="Of the times, if it is not known.")
]

Timezone = Annotated[
    str | None, typer.Option(metavar="ZONE", help="Of times without an offset; default UTC.")
]

GridSeries = Annotated[
    Path,
    typer.Argument(metavar="SERIES.csv", help="A grid series (docs/grid.md lists the layouts)."),
]

Scenario = Annotated[str | None, typer.Argument(metavar="SCENARIO", help=TARGET)]

Megawatts = Annotated[
    float | None, typer.Option(help="Without a scenario: megawatts of the facility.")
]

Stretch = Annotated[
    float, typer.Option(help="How many times as long pauses may make it; 1 for no pauses.")
]

Threshold = Annotated[
    float | None, typer.Option(help="Pause above it, g/kWh; the best by default.")
]

Repeat = Annotated[bool, typer.Option("--repeat", help="Repeat the series after its end.")]

PausedShare = Annotated[
    float | None, typer.Option(help="Watts while paused over watts while running.")
]


@examples(
    "simulator when grid-2025.csv glam-64b-64e --plot when.png",
    "simulator when grid-2025.csv --days 21 --mw 4 --stretch 1.2 --explain",
    "simulator when grid-2025.csv --days 21 --mw 4 --curtail 17:00-21:00 --repeat --json",
)
def when(
    series: GridSeries,
    name: Scenario = None,
    days: Annotated[float | None, typer.Option(help="Without a scenario: days it takes.")] = None,
    mw: Megawatts = None,
    every: Annotated[float, typer.Option(help="Hours between the starts to try.")] = 24.0,
    stretch: Stretch = 1.1,
    threshold: Threshold = None,
    curtail: Curtail = None,
    repeat: Repeat = False,
    zone: Annotated[str | None, typer.Option(help="Show this zone's flat factor too.")] = None,
    paused_share: PausedShare = None,
    resume: Annotated[float | None, typer.Option(help="Seconds to resume after a pause.")] = None,
    column: Column = None,
    time_column: TimeColumn = None,
    timezone: Timezone = None,
    basis: Basis = "auto",
    overrides: Set = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Find when to start and whether to pause, on a grid series."""
    from energy.facts.grid_series import read_series
    from simulator.questions.when.answer import when as answer

    schedule = answer(
        read_series(series, column=column, time_column=time_column, timezone=timezone),
        name,
        days=days,
        mw=mw,
        every=every,
        stretch=stretch,
        threshold=threshold,
        curtail=curtail or (),
        repeat=repeat,
        timezone=timezone,
        zone=zone,
        paused_share=paused_share,
        resume=resume,
        basis=basis,
        overrides=overridden(overrides),
    )
    present(schedule, as_json=as_json, as_csv=as_csv, explain=explain, plot=plot)
