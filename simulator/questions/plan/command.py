"""The verb `plan` of `simulator`: how to lay a model on chips. Heavy imports stay inside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from energy.console import print_json
from simulator.kit.options import Explain, Json, Plot, Set, draw, examples, overridden

if TYPE_CHECKING:
    from simulator.kit.style import Panel


@examples(
    "simulator plan glam-64b-64e",
    "simulator plan deepseek-v3 --chip h800 --chips 2048 --tokens 14.8e12 --batch 15360 "
    "--set hardware.precision=fp8 --plot plan.png",
    "simulator plan mixtral-8x7b --chip h100 --chips 64 --region FRA --tokens 1e12 "
    "--by money --price h100-on-demand-2026 --save mixtral.toml",
    "simulator plan glam-8b-64e --chip h100 --chips 64 --by energy --top 3 --json",
)
def plan(
    name: Annotated[
        str, typer.Argument(metavar="MODEL", help="A preset, a scenario file or a model.")
    ],
    chip: Annotated[str | None, typer.Option(help="A chip of the catalog.")] = None,
    chips: Annotated[int | None, typer.Option(help="How many of them.", min=1)] = None,
    region: Annotated[str | None, typer.Option(help="A grid zone or a data centre.")] = None,
    tokens: Annotated[float | None, typer.Option(help="Tokens of the run.")] = None,
    batch: Annotated[int | None, typer.Option(help="Sequences of one optimiser step.")] = None,
    by: Annotated[str, typer.Option(help="What is least: time, energy, co2 or money.")] = "time",
    top: Annotated[int, typer.Option(help="Runners-up to tell.", min=0, max=50)] = 5,
    price: Annotated[str | None, typer.Option(help="A row of simulator prices.")] = None,
    overrides: Set = None,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE.toml", help="Write the best plan as a scenario for predict."),
    ] = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Find the best parallel plan on some chips, and say why the others lose."""
    from simulator.kit.progress import counting
    from simulator.questions.plan import page as show_plan
    from simulator.questions.plan.answer import best_plans
    from simulator.questions.plan.question import asked
    from simulator.terms import as_json as tree_json
    from simulator.terms import lines

    scenario, assumed = asked(
        name,
        chip=chip,
        chips=chips,
        region=region,
        tokens=tokens,
        batch=batch,
        price=price,
        overrides=overridden(overrides),
    )
    with counting("plans") as told:
        found = best_plans(scenario, by, top, lambda done: told(scenario.name, done), assumed)

    def page() -> None:
        show_plan.page(found)

    def panels() -> list[Panel]:
        from simulator.questions.plan.picture import parts

        return parts(found)

    draw(plot, panels, page, size=(9, 1.2 + 0.45 * len(found.drawn)))
    if save is not None:
        from simulator.scenarios.writer import write

        write(found.planned, save)
    tree = found.prediction.trees()[0] if explain else None
    if as_json:
        print_json(show_plan.as_json(found) | ({"explain": tree_json(tree)} if tree else {}))
        return
    page()
    if save is not None:
        typer.echo(f"wrote {save}; ask it with: simulator predict {save}")
    if tree:
        typer.echo("\n" + "\n".join(lines(tree)))
