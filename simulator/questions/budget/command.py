"""The verbs `inverse` and `crossover`: what fits a budget, and where a mixture of experts pays."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from energy.console import print_json
from simulator.kit.options import Basis, Explain, Json, Plot, Set, draw, examples, overridden, tell

if TYPE_CHECKING:
    from simulator.kit.style import Panel
    from simulator.runs.spend import Spending
    from simulator.scenarios.scenario import Scenario


Mfu = Annotated[
    float | None, typer.Option(help="Instead of a basis: model FLOP over the chips' peak.")
]


WattsOfAChip = Annotated[
    float | None, typer.Option("--watts", help="With --mfu: watts of a chip; else the catalog's.")
]


@examples(
    "simulator inverse glam-64b-64e --mwh 456 --days 60 --plot inverse.svg",
    "simulator inverse gpt3-175b --most size --tokens-per-parameter 20 --mwh 1000 --mfu 0.4",
    "simulator inverse glam-64b-64e --usd 1e6 --set site.chip_price=tpu-v4-list-2024 --json",
)
def inverse(
    name: Annotated[str, typer.Argument(metavar="SCENARIO", help="A preset or a scenario file.")],
    most: Annotated[str, typer.Option(help="tokens, or size for the largest model.")] = "tokens",
    mwh: Annotated[float | None, typer.Option(help="Budget: facility megawatt-hours.")] = None,
    usd: Annotated[float | None, typer.Option(help="Budget: dollars, at the site's price.")] = None,
    days: Annotated[float | None, typer.Option(help="Budget: days of wall clock.")] = None,
    mw: Annotated[float | None, typer.Option(help="Budget: mean facility megawatts.")] = None,
    co2: Annotated[float | None, typer.Option(help="Budget: tonnes of CO2e, gross.")] = None,
    tokens_per_parameter: Annotated[
        float | None, typer.Option(help="With size: tokens for each active parameter.")
    ] = None,
    mfu: Mfu = None,
    watts: WattsOfAChip = None,
    basis: Basis = "auto",
    overrides: Set = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Find the most tokens, or the largest model, that fits a budget."""
    from energy.errors import InputError
    from simulator.questions.budget import page as show_inverse
    from simulator.questions.budget.inverse import largest_model, most_tokens
    from simulator.scenarios.scenario import load

    scenario = load(name, overridden(overrides))
    given = {"mwh": mwh, "usd": usd, "days": days, "mw": mw, "co2": co2}
    limits = {key: value for key, value in given.items() if value is not None}
    spending, how = _spending(scenario, basis, mfu, watts)
    if most == "tokens":
        if tokens_per_parameter is not None:
            raise InputError("expected --tokens-per-parameter with --most size", "--most tokens")
        found = most_tokens(scenario, spending, limits)
    elif most == "size":
        found = largest_model(scenario, spending, limits, tokens_per_parameter)
    else:
        raise InputError("expected --most tokens or size", most)

    def page() -> None:
        show_inverse.page(found, how, explain=explain)

    def panels() -> list[Panel]:
        from simulator.questions.budget.picture import budgets_used

        return [partial(budgets_used, found)]

    draw(plot, panels, page, size=(6.5, 2.6))
    print_json(show_inverse.as_json(found, how)) if as_json else page()


@examples(
    "simulator crossover glam-mini-16e glam-mini --over run.batch_sequences --from 1 --to 64",
    "simulator crossover glam-64b-64e glam-137b --over run.tokens --from 1e10 --to 1e12 --mfu 0.3",
    "simulator crossover glam-8b-64e glam-8b --over hardware.network_bytes_per_s --from 1e8 "
    "--to 1e11 --points 4 --equal tokens --of days --set hardware.chip=h100 "
    "--set hardware.software=megatron",
)
def crossover(
    sparse: Annotated[str, typer.Argument(metavar="SPARSE", help="A mixture: preset or file.")],
    dense: Annotated[str, typer.Argument(metavar="DENSE", help="A dense model: preset or file.")],
    over: Annotated[str, typer.Option(metavar="KEY", help="A key of scenarios that moves.")],
    low: Annotated[float, typer.Option("--from", help="Its least value.")],
    high: Annotated[float, typer.Option("--to", help="Its greatest value.")],
    points: Annotated[int, typer.Option(min=2, max=200, help="Values to try.")] = 13,
    of: Annotated[str, typer.Option(help="mwh, days, mw, usd or co2.")] = "mwh",
    equal: Annotated[str, typer.Option(help="quality or tokens.")] = "quality",
    law: Annotated[str, typer.Option(help="Law of loss for quality.")] = "besiroglu-2024",
    mfu: Mfu = None,
    watts: WattsOfAChip = None,
    basis: Annotated[str, typer.Option(help="published or predicted.")] = "predicted",
    overrides: Set = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Find where a mixture of experts stops paying against a dense model."""
    from simulator.questions.budget import page as show_inverse
    from simulator.questions.budget.crossover import crossover as followed
    from simulator.questions.budget.crossover import spaced
    from simulator.questions.budget.terms import of_crossover

    def spending(scenario: Scenario) -> Spending:
        return _spending(scenario, basis, mfu, watts)[0]

    found = followed(
        (sparse, dense),
        over,
        spaced(low, high, points),
        of=of,
        equal=equal,
        law_name=law,
        overrides=overridden(overrides),
        spending=spending,
    )

    def panels() -> list[Panel]:
        from simulator.questions.budget.picture import sparse_over_dense

        return [partial(sparse_over_dense, found)]

    draw(plot, panels, lambda: show_inverse.crossover_page(found))
    told = of_crossover(found, spending) if explain else None
    tell(
        lambda: show_inverse.crossover_page(found),
        lambda: show_inverse.crossover_json(found),
        told,
        as_json,
    )


def _spending(
    scenario: Scenario, basis: str, mfu: float | None, watts: float | None
) -> tuple[Spending, str]:
    """How spending is known, and in words: a utilisation, what was published, the prediction."""
    from energy.errors import InputError
    from simulator.runs import spend
    from simulator.runs.sides import choose_basis

    if mfu is not None:
        return spend.given(scenario, mfu, watts), f"a utilisation of {mfu:g} as given"
    if watts is not None:
        raise InputError("expected --watts with --mfu", f"{watts:g}")
    if choose_basis([scenario], basis) == "published":
        words = f"the rate and the watts that were published of {scenario.name}"
        return spend.published(scenario), words
    return spend.predicted, "the prediction"
