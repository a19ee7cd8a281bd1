"""The verb `plan` of `simulator`: how to lay a model on chips. Heavy imports stay inside it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from energy.app import Csv, Json, examples, output_file
from simulator.kit.answer import present
from simulator.kit.options import (
    TARGET,
    ChipPrice,
    Chips,
    Explain,
    Plot,
    Sequences,
    Set,
    Tokens,
    overridden,
)

if TYPE_CHECKING:
    from simulator.questions.plan.answer import Planned

Launch = Annotated[
    str | None, typer.Option(help="Print a start by it: torchrun, megatron, torchtitan or slurm.")
]


@examples(
    "simulator plan glam-64b-64e",
    "simulator plan deepseek-v3 --chip h800 --chips 2048 --tokens 14.8e12 --batch 15360 "
    "--set hardware.precision=fp8 --plot plan.png",
    "simulator plan mixtral-8x7b --chip h100 --chips 64 --region FRA --tokens 1e12 "
    "--by money --price h100-on-demand-2026 --save mixtral.toml",
    "simulator plan glam-8b-64e --chip h100 --chips 64 --by energy --top 3 --json",
    "simulator plan deepseek-v3 --chip h100 --chips 2048 --launch megatron",
)
def plan(
    name: Annotated[str, typer.Argument(metavar="MODEL", help=TARGET)],
    chip: Annotated[str | None, typer.Option(help="A chip of the catalog.")] = None,
    chips: Chips = None,
    region: Annotated[str | None, typer.Option(help="A grid zone or a data center.")] = None,
    tokens: Tokens = None,
    batch: Sequences = None,
    by: Annotated[str, typer.Option(help="Minimize time, energy, co2 or money.")] = "time",
    top: Annotated[int, typer.Option(help="Runners-up to show.", min=0, max=50)] = 5,
    price: Annotated[str | None, typer.Option(help="A row of simulator prices.")] = None,
    chip_price: ChipPrice = None,
    overrides: Set = None,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.toml",
            help="Write the best plan as a scenario for predict.",
            callback=output_file(".toml"),
        ),
    ] = None,
    launch: Launch = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Find the best parallel plan, and say why the others lose."""
    from simulator.kit.progress import counting
    from simulator.questions.plan.answer import plan as answer
    from simulator.questions.plan.launch.tools import require_tool

    require_tool(launch, explain=explain, as_csv=as_csv)

    with counting("plans") as progress:
        planned = answer(
            name,
            chip=chip,
            chips=chips,
            region=region,
            tokens=tokens,
            batch=batch,
            by=by,
            top=top,
            price=price,
            chip_price=chip_price,
            overrides=overridden(overrides),
            on_progress=progress,
        )
    if save is not None:
        from simulator.scenarios.writer import write

        write(planned.best_scenario, save)
    if launch is not None:
        _print_start(planned, launch, as_json=as_json)
        return
    present(planned, as_json=as_json, as_csv=as_csv, explain=explain, plot=plot)
    if save is not None and not (as_json or as_csv):
        typer.echo(f"wrote {save}; next: simulator predict {shlex.quote(str(save))}")


def _print_start(planned: Planned, tool: str, *, as_json: bool) -> None:
    from energy.console import print_json
    from energy.guard import printing

    start = planned.launch(tool)
    with printing():
        print_json(start.as_json()) if as_json else print(start.text)
