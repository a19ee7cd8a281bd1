"""The verb `failures`: what failures cost a run."""

from __future__ import annotations

from typing import Annotated

import typer

from energy.app import Csv, Json, examples
from simulator.kit.answer import present
from simulator.kit.options import TARGET, Basis, Explain, Plot, Set, overridden, whole_of


@examples(
    "simulator failures glam-64b-64e --plot failures.png",
    "simulator failures --chips 16384 --days 54 --mw 25 --save 60 --explain",
    "simulator failures --chips 4096 --mtbf 30000 --spares 4 --together 8 --json",
)
def failures(
    name: Annotated[str | None, typer.Argument(metavar="SCENARIO", help=TARGET)] = None,
    chips: Annotated[
        int | None, typer.Option(parser=whole_of, metavar="N", help="Without a scenario: chips.")
    ] = None,
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
        float | None, typer.Option(help="Hours until a failed unit is a spare again.")
    ] = None,
    spares: Annotated[
        int | None, typer.Option(help="Units of spare chips; enough of them by default.")
    ] = None,
    together: Annotated[int, typer.Option(help="Chips that one failure takes out.")] = 1,
    interval: Annotated[
        float | None,
        typer.Option(help="Seconds of training between checkpoints; the best by default."),
    ] = None,
    basis: Basis = "auto",
    overrides: Set = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Show what failures cost, and the best checkpoint interval.

    Goodput, spare chips, and the energy that is lost.
    """
    from simulator.questions.failures.answer import failures as answer

    costs = answer(
        name,
        chips=chips,
        days=days,
        mw=mw,
        mtbf=mtbf,
        save=save,
        restart=restart,
        repair=repair,
        spares=spares,
        together=together,
        interval=interval,
        basis=basis,
        overrides=overridden(overrides),
    )
    present(costs, as_json=as_json, as_csv=as_csv, explain=explain, plot=plot)
