"""The verbs `pareto` and `feasible`: a search over models, chips, places and plans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from simulator.kit.options import Explain, Json, Plot, Set, draw, examples, overridden, tell

if TYPE_CHECKING:
    from simulator.kit.style import Panel
    from simulator.scenarios.scenario import Scenario


Names = Annotated[
    list[str],
    typer.Argument(metavar="SCENARIO [MODEL ...]", help="A run, and models to put into it."),
]


Kinds = Annotated[
    str | None, typer.Option("--chip", metavar="CHIP[,CHIP]", help="Chips of the catalog.")
]


Counts = Annotated[str | None, typer.Option("--chips", metavar="N[,N]", help="How many of them.")]


Places = Annotated[
    str | None,
    typer.Option("--region", metavar="PLACE[,PLACE]", help="Grid zones or data centres."),
]


Tokens = Annotated[float | None, typer.Option(help="Tokens of the run.")]


Prices = Annotated[
    str | None, typer.Option("--price", metavar="ROW[,ROW]", help="Rows of simulator prices.")
]


Equal = Annotated[
    str, typer.Option(help="tokens, or quality: each model reads what brings it to one loss.")
]


@examples(
    "simulator pareto glam-64b-64e glam-137b --chip tpu-v4,h100 --chips 1024,2048 "
    "--equal quality --plot pareto.html",
    "simulator pareto glam-64b-64e --chip h100,a100 --region FRA,USA "
    "--price h100-on-demand-2026,a100-80gb-on-demand-2026",
    "simulator pareto mixtral-8x7b --chip h100 --chips 64,128 --tokens 1e12 "
    "--set run.batch_tokens=4e6 --json",
)
def pareto(
    names: Names,
    chip: Kinds = None,
    chips: Counts = None,
    region: Places = None,
    tokens: Tokens = None,
    price: Prices = None,
    equal: Equal = "tokens",
    overrides: Set = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Find what nothing else beats in weeks, MWh, tonnes and dollars, over all plans."""
    from simulator.kit.progress import counting
    from simulator.questions.sweep import page_pareto as show_pareto
    from simulator.questions.sweep import pareto as fronts_of

    kinds, counts = _listed(chip), _counts(chips)
    models = _models(names, kinds, next(iter(counts), None), tokens, overrides, equal)
    with counting("plans") as told:
        found = fronts_of.pareto(models, kinds, counts, _listed(region), _listed(price), told)

    def panels() -> list[Panel]:
        from simulator.questions.sweep.picture_pareto import front

        return front(found)

    draw(plot, panels, lambda: show_pareto.page(found), size=(8, 3.6))
    numbers = enumerate(found.choices, 1)
    trees = {str(number): one.trees()[0] for number, one in numbers} if explain else None
    tell(lambda: show_pareto.page(found), lambda: show_pareto.as_json(found), trees, as_json)


@examples(
    "simulator feasible glam-64b-64e glam-137b --chip tpu-v4,h100 --max-mw 1 --max-chips 2048 "
    "--start 2027-01-01 --by 2027-04-01 --plot feasible.html",
    "simulator feasible glam-8b-64e glam-8b --chip h100 --tokens 1e11 --budget 30000 "
    "--price h100-on-demand-2026 --region FRA,USA --explain",
    "simulator feasible mixtral-8x7b --chip h100 --chips 64,128,256 --tokens 1e12 "
    "--set run.batch_tokens=4e6 --max-mw 0.2 --max-co2 100 --json",
)
def feasible(
    names: Names,
    max_mw: Annotated[float | None, typer.Option(help="Mean megawatts of the facility.")] = None,
    max_chips: Annotated[int | None, typer.Option(help="Chips of the run.")] = None,
    by: Annotated[
        str | None, typer.Option(metavar="DATE", help="The day on which the run is over.")
    ] = None,
    budget: Annotated[
        float | None, typer.Option(metavar="USD", help="Dollars, at the site's or --price's price.")
    ] = None,
    max_mwh: Annotated[float | None, typer.Option(help="Facility megawatt-hours.")] = None,
    max_co2: Annotated[float | None, typer.Option(help="Tonnes of CO2e, gross.")] = None,
    start: Annotated[
        str | None, typer.Option(metavar="DATE", help="First day of the run; today without it.")
    ] = None,
    chip: Kinds = None,
    chips: Counts = None,
    region: Places = None,
    tokens: Tokens = None,
    price: Prices = None,
    equal: Equal = "tokens",
    overrides: Set = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Find what keeps to a site's limits, each limit's slack, or the least that must give.

    Without --chips: counts doubled and halved around the scenario's and --max-chips.
    """
    from energy.errors import InfeasibleError
    from simulator.kit.progress import counting
    from simulator.questions.sweep import page_feasible as show_feasible
    from simulator.questions.sweep.feasible import feasible as search
    from simulator.questions.sweep.limits import limits_of

    given = {"mw": max_mw, "chips": max_chips, "usd": budget, "mwh": max_mwh, "co2": max_co2}
    limits = limits_of(given, by, start)
    kinds, counts = _listed(chip), _counts(chips)
    count = next(iter(counts), max_chips)
    models = _models(names, kinds, count, tokens, overrides, equal)
    with counting("plans") as told:
        found = search(models, limits, kinds, counts, _listed(region), _listed(price), told)

    def panels() -> list[Panel]:
        from simulator.questions.sweep.picture_feasible import against_limits

        return against_limits(found)

    draw(plot, panels, lambda: show_feasible.page(found), size=(8, 3.6))
    shown = found.told if as_json else found.told[: show_feasible.MOST_ROWS]
    trees = (
        {
            f"{number}, {tree.name}": tree
            for number, one in enumerate(shown, 1)
            for tree in one.trees()
        }
        if explain
        else None
    )
    tell(lambda: show_feasible.page(found), lambda: show_feasible.as_json(found), trees, as_json)
    if not found.keepers:
        raise InfeasibleError(
            "expected a configuration that keeps to every limit",
            f"none of {found.fit:,}",
            f"least relaxation: {show_feasible.relaxed(found)}",
        )


def _models(
    names: list[str],
    kinds: list[str],
    count: int | None,
    tokens: float | None,
    overrides: list[str] | None,
    equal: str,
) -> list[Scenario]:
    """The run and the models to put into it; a model alone gets the first chips that are named."""
    from simulator.runs.models import needs_hardware, of_models
    from simulator.scenarios.scenario import quick

    laid = quick(tokens=tokens)
    if needs_hardware(names[0]):
        laid |= quick(chip=next(iter(kinds), None), count=count)
    return of_models(names, laid | overridden(overrides), equal)


def _listed(text: str | None) -> list[str]:
    """The words of an option that takes several, separated by commas."""
    return [word for part in (text or "").split(",") if (word := part.strip())]


def _counts(text: str | None) -> list[int]:
    from energy.errors import InputError

    try:
        return [int(word) for word in _listed(text)]
    except ValueError as error:
        raise InputError("expected --chips with whole numbers", text or "") from error
