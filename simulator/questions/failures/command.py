"""The verb `failures`: what failures cost a run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.kit.options import Basis, Explain, Json, Plot, Set, draw, examples, overridden, tell

if TYPE_CHECKING:
    from simulator.kit.style import Panel


@examples(
    "simulator failures glam-64b-64e --plot failures.png",
    "simulator failures --chips 16384 --days 54 --mw 25 --save 60 --explain",
    "simulator failures --chips 4096 --mtbf 30000 --spares 4 --together 8 --json",
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
    from simulator.questions.failures import page as show_failures
    from simulator.questions.failures.terms import of_failures
    from simulator.runs import failures as losses

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
        from simulator.questions.failures.picture import goodput_by_chips, goodput_by_interval

        return [partial(goodput_by_interval, found), partial(goodput_by_chips, found)]

    draw(plot, panels, lambda: show_failures.page(found))
    told = {tree.name: tree for tree in of_failures(found)} if explain else None
    tell(lambda: show_failures.page(found), lambda: show_failures.as_json(found), told, as_json)
