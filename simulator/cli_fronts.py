"""Verbs of `simulator` for whoever builds the site: the front of choices, and the load they draw.

Each verb parses, calls and prints; heavy imports stay inside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from energy.console import print_json
from simulator.cli_options import Explain, Json, Plot, Set, draw, examples, overridden

if TYPE_CHECKING:
    from simulator.plots import Panel

fronts = typer.Typer(rich_markup_mode=None)


@fronts.command(
    epilog=examples(
        "simulator pareto glam-64b-64e glam-137b --chip tpu-v4,h100 --chips 1024,2048 "
        "--equal quality --plot pareto.html",
        "simulator pareto glam-64b-64e --chip h100,a100 --region FRA,USA "
        "--price h100-on-demand-2026,a100-80gb-on-demand-2026",
        "simulator pareto mixtral-8x7b --chip h100 --chips 64,128 --tokens 1e12 "
        "--set run.batch_tokens=4e6 --json",
    )
)
def pareto(
    names: Annotated[
        list[str],
        typer.Argument(metavar="SCENARIO [MODEL ...]", help="A run, and models to put into it."),
    ],
    chip: Annotated[
        str | None, typer.Option(metavar="CHIP[,CHIP]", help="Chips of the catalog.")
    ] = None,
    chips: Annotated[str | None, typer.Option(metavar="N[,N]", help="How many of them.")] = None,
    region: Annotated[
        str | None, typer.Option(metavar="PLACE[,PLACE]", help="Grid zones or data centres.")
    ] = None,
    tokens: Annotated[float | None, typer.Option(help="Tokens of the run.")] = None,
    price: Annotated[
        str | None, typer.Option(metavar="ROW[,ROW]", help="Rows of simulator prices.")
    ] = None,
    equal: Annotated[
        str, typer.Option(help="tokens, or quality: each model reads what brings it to one loss.")
    ] = "tokens",
    overrides: Set = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Find what nothing else beats in weeks, MWh, tonnes and dollars, over all plans."""
    from simulator import pareto as fronts_of
    from simulator import show_pareto
    from simulator.alternatives import needs_hardware, of_models
    from simulator.explain import as_json as tree_json
    from simulator.explain import lines
    from simulator.progress import counting
    from simulator.scenario import quick

    kinds, counts = _listed(chip), _counts(chips)
    laid = quick(tokens=tokens)
    if needs_hardware(names[0]):
        laid |= quick(chip=next(iter(kinds), None), count=next(iter(counts), None))
    models = of_models(names, laid | overridden(overrides), equal)
    with counting("plans") as told:
        found = fronts_of.pareto(models, kinds, counts, _listed(region), _listed(price), told)

    def panels() -> list[Panel]:
        from simulator.plots_fronts import front

        return front(found)

    draw(plot, panels, lambda: show_pareto.page(found), size=(8, 3.6))
    trees = [choice.tree() for choice in found.choices] if explain else []
    if as_json:
        told_trees = {"explain": [tree_json(tree) for tree in trees]} if explain else {}
        print_json(show_pareto.as_json(found) | told_trees)
        return
    show_pareto.page(found)
    for number, tree in enumerate(trees, 1):
        typer.echo(f"\n{number}: " + "\n".join(lines(tree)))


@fronts.command(
    epilog=examples(
        "simulator power glam-64b-64e",
        "simulator power gpt3-175b --plot power.html",
        "simulator power glam-8b-64e --set hardware.count=512 --explain --json",
    )
)
def power(
    name: Annotated[str, typer.Argument(metavar="SCENARIO", help="A preset or a scenario file.")],
    overrides: Set = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Say what the site sees: megawatts over a step and the run, peak, least, ramp."""
    from simulator import show_power
    from simulator.explain import as_json as tree_json
    from simulator.explain import lines
    from simulator.load_profile import load_profile
    from simulator.scenario import load

    found = load_profile(load(name, overridden(overrides)))

    def panels() -> list[Panel]:
        from simulator.plots_fronts import load as drawn

        return drawn(found)

    draw(plot, panels, lambda: show_power.page(found), size=(8, 3.2))
    if as_json:
        tree = {"explain": tree_json(found.tree())} if explain else {}
        print_json(show_power.as_json(found) | tree)
        return
    show_power.page(found)
    if explain:
        typer.echo("\n" + "\n".join(lines(found.tree())))


def _listed(text: str | None) -> list[str]:
    """The words of an option that takes several, separated by commas."""
    return [word for part in (text or "").split(",") if (word := part.strip())]


def _counts(text: str | None) -> list[int]:
    from energy.errors import InputError

    try:
        return [int(word) for word in _listed(text)]
    except ValueError as error:
        raise InputError("expected --chips with whole numbers", text or "") from error
