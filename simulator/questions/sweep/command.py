"""The verbs `sweep`, `pareto` and `feasible`: a search over models, chips, places and plans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from energy.app import Csv, Json, examples
from simulator.kit.answer import present
from simulator.kit.options import (
    BeyondRange,
    ChipPrice,
    Explain,
    Plot,
    Set,
    Tokens,
    counts,
    listed,
    overridden,
    whole_of,
)

if TYPE_CHECKING:
    from simulator.questions.sweep.feasible import Feasible

Names = Annotated[
    list[str],
    typer.Argument(metavar="SCENARIO", help="A run, then models to put into it."),
]


Kinds = Annotated[
    str | None, typer.Option("--chip", metavar="CHIP[,CHIP]", help="Chips of the catalog.")
]


Counts = Annotated[str | None, typer.Option("--chips", metavar="N[,N]", help="How many of them.")]


MostChips = Annotated[
    int | None, typer.Option(parser=whole_of, metavar="N", help="Chips of the run.")
]


Places = Annotated[
    str | None,
    typer.Option("--region", metavar="PLACE[,PLACE]", help="Grid zones or data centers."),
]


FirstDay = Annotated[
    str | None, typer.Option(metavar="DATE", help="First day of the run; today without it.")
]


Batches = Annotated[
    str | None,
    typer.Option(
        "--batch",
        metavar="N[,N]",
        help="Sequences of a step, each with the tokens it needs to the run's loss.",
    ),
]


Prices = Annotated[
    str | None, typer.Option("--price", metavar="ROW[,ROW]", help="Rows of simulator prices.")
]


Equal = Annotated[
    str, typer.Option(help="tokens, or quality: each model reads what brings it to one loss.")
]


@examples(
    "simulator sweep glam-64b-64e glam-137b --chip tpu-v4,h100 --chips 512,1024,2048 --plot s.svg",
    "simulator sweep deepseek-v3 --chip h200 --chips 1024,2048 --region FIN,POL --tokens 15T --csv",
)
def sweep(
    names: Names,
    chip: Kinds = None,
    chips: Counts = None,
    region: Places = None,
    batch: Batches = None,
    tokens: Tokens = None,
    price: Prices = None,
    chip_price: ChipPrice = None,
    equal: Equal = "tokens",
    beyond_range: BeyondRange = False,
    overrides: Set = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Predict all models on all chips, counts and places."""
    from simulator.kit.progress import counting
    from simulator.questions.sweep.fastest import sweep as answer

    with counting("plans") as progress:
        swept = answer(
            *names,
            chip=listed(chip),
            chips=counts(chips),
            region=listed(region),
            batch=counts(batch, "--batch"),
            tokens=tokens,
            price=listed(price),
            chip_price=chip_price,
            equal=equal,
            beyond_range=beyond_range,
            overrides=overridden(overrides),
            on_progress=progress,
        )
    present(swept, as_json=as_json, as_csv=as_csv, explain=explain, plot=plot)


@examples(
    "simulator pareto glam-64b-64e glam-137b --chip tpu-v4,h100 --chips 1024,2048 "
    "--equal quality --beyond-range --plot pareto.html",
    "simulator pareto glam-8b --chip h100 --chips 256,1024 --batch 512,2048,8192",
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
    batch: Batches = None,
    tokens: Tokens = None,
    price: Prices = None,
    chip_price: ChipPrice = None,
    equal: Equal = "tokens",
    beyond_range: BeyondRange = False,
    overrides: Set = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Find what nothing else beats in time, energy, CO2e and money.

    Over all plans of all models, on all chips and in all places that are named.
    """
    from simulator.kit.progress import counting
    from simulator.questions.sweep.pareto import pareto as answer

    with counting("plans") as progress:
        front = answer(
            *names,
            chip=listed(chip),
            chips=counts(chips),
            region=listed(region),
            batch=counts(batch, "--batch"),
            tokens=tokens,
            price=listed(price),
            chip_price=chip_price,
            equal=equal,
            beyond_range=beyond_range,
            overrides=overridden(overrides),
            on_progress=progress,
        )
    present(front, as_json=as_json, as_csv=as_csv, explain=explain, plot=plot)


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
    max_chips: MostChips = None,
    by: Annotated[
        str | None, typer.Option(metavar="DATE", help="The day on which the run is over.")
    ] = None,
    budget: Annotated[
        float | None, typer.Option(metavar="USD", help="Dollars, at the site's or --price's price.")
    ] = None,
    max_mwh: Annotated[float | None, typer.Option(help="Facility megawatt-hours.")] = None,
    max_co2: Annotated[float | None, typer.Option(help="Tonnes of CO2e, gross.")] = None,
    start: FirstDay = None,
    chip: Kinds = None,
    chips: Counts = None,
    region: Places = None,
    batch: Batches = None,
    tokens: Tokens = None,
    price: Prices = None,
    chip_price: ChipPrice = None,
    equal: Equal = "tokens",
    beyond_range: BeyondRange = False,
    overrides: Set = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Find what keeps to a site's limits, or what must give.

    Without --chips: counts doubled and halved around the scenario's and --max-chips.
    """
    from simulator.kit.progress import counting
    from simulator.questions.sweep.feasible import feasible as answer

    with counting("plans") as progress:
        configurations = answer(
            *names,
            max_mw=max_mw,
            max_chips=max_chips,
            by=by,
            budget=budget,
            max_mwh=max_mwh,
            max_co2=max_co2,
            start=start,
            chip=listed(chip),
            chips=counts(chips),
            region=listed(region),
            batch=counts(batch, "--batch"),
            tokens=tokens,
            price=listed(price),
            chip_price=chip_price,
            equal=equal,
            beyond_range=beyond_range,
            overrides=overridden(overrides),
            on_progress=progress,
        )
    present(configurations, as_json=as_json, as_csv=as_csv, explain=explain, plot=plot)
    _require_one(configurations)


def _require_one(configurations: Feasible) -> None:
    """End with the exit code for infeasible where nothing keeps to the limits."""
    from energy.errors import InfeasibleError

    if not configurations.keepers:
        raise InfeasibleError(
            "expected a configuration that keeps to every limit",
            f"none of {configurations.fit:,}",
            f"least relaxation: {configurations.relaxed}",
        )
