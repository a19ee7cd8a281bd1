"""The verbs `inverse` and `crossover`: what fits a budget, and where a mixture of experts pays."""

from __future__ import annotations

from typing import Annotated

import typer

from energy.app import Csv, Json, examples
from simulator.kit.answer import present
from simulator.kit.options import (
    Basis,
    BeyondRange,
    ChipPrice,
    Explain,
    Plot,
    Set,
    Target,
    overridden,
    tokens_of,
)

Mfu = Annotated[
    float | None, typer.Option(help="Instead of a basis: model FLOP over the chips' peak.")
]


WattsOfAChip = Annotated[
    float | None, typer.Option("--watts", help="With --mfu: watts of a chip; else the catalog's.")
]


@examples(
    "simulator inverse glam-64b-64e --mwh 456 --days 60 --plot inverse.svg",
    "simulator inverse gpt3-175b --most size --tokens-per-parameter 20 --mwh 1000 --mfu 0.4",
    "simulator inverse glam-64b-64e --usd 1e6 --chip-price 3.22 --json",
)
def inverse(
    name: Target,
    most: Annotated[str, typer.Option(help="tokens, or size for the largest model.")] = "tokens",
    mwh: Annotated[float | None, typer.Option(help="Budget: facility megawatt-hours.")] = None,
    usd: Annotated[float | None, typer.Option(help="Budget: dollars, at a price.")] = None,
    days: Annotated[float | None, typer.Option(help="Budget: days of wall clock.")] = None,
    mw: Annotated[float | None, typer.Option(help="Budget: mean facility megawatts.")] = None,
    co2: Annotated[float | None, typer.Option(help="Budget: tonnes of CO2e, gross.")] = None,
    tokens_per_parameter: Annotated[
        float | None, typer.Option(help="With size: tokens for each active parameter.")
    ] = None,
    mfu: Mfu = None,
    watts: WattsOfAChip = None,
    basis: Basis = "auto",
    chip_price: ChipPrice = None,
    overrides: Set = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Find the most tokens or the largest model within a budget."""
    from functools import partial

    from energy.errors import InputError, require_choice
    from simulator.questions.budget.inverse import largest_model, most_tokens

    require_choice("--most", most, ("tokens", "size"))
    if most == "tokens" and tokens_per_parameter is not None:
        raise InputError("expected --tokens-per-parameter with --most size", "--most tokens")
    answer_of = (
        most_tokens
        if most == "tokens"
        else partial(largest_model, tokens_per_parameter=tokens_per_parameter)
    )
    answer = answer_of(
        name,
        mwh=mwh,
        usd=usd,
        days=days,
        mw=mw,
        co2=co2,
        mfu=mfu,
        watts=watts,
        basis=basis,
        overrides=overridden(overrides, chip_price),
    )
    present(answer, as_json=as_json, as_csv=as_csv, explain=explain, plot=plot)


@examples(
    "simulator crossover glam-mini-16e glam-mini --over run.batch_sequences --from 1 --to 64 "
    "--equal tokens",
    "simulator crossover glam-64b-64e glam-137b --over run.tokens --from 1e10 --to 1e12 --mfu 0.3 "
    "--beyond-range",
    "simulator crossover glam-8b-64e glam-8b --over hardware.network_bytes_per_s --from 1e8 "
    "--to 1e11 --points 4 --equal tokens --of days --set hardware.chip=h100 "
    "--set hardware.software=megatron",
)
def crossover(
    sparse: Annotated[
        str, typer.Argument(metavar="SPARSE", help="A mixture: preset, model, file.")
    ],
    dense: Annotated[str, typer.Argument(metavar="DENSE", help="A dense model, likewise.")],
    over: Annotated[str, typer.Option(metavar="KEY", help="The key of the scenario that varies.")],
    low: Annotated[
        float,
        typer.Option("--from", parser=tokens_of, metavar="NUMBER", help="Its least value: 10B."),
    ],
    high: Annotated[
        float,
        typer.Option("--to", parser=tokens_of, metavar="NUMBER", help="Its greatest value."),
    ],
    points: Annotated[int, typer.Option(min=2, max=200, help="Values to try.")] = 13,
    of: Annotated[str, typer.Option(help="mwh, days, mw, usd or co2.")] = "mwh",
    equal: Annotated[str, typer.Option(help="quality or tokens.")] = "quality",
    law: Annotated[str, typer.Option(help="Law of loss for quality.")] = "besiroglu-2024",
    beyond_range: BeyondRange = False,
    mfu: Mfu = None,
    watts: WattsOfAChip = None,
    basis: Annotated[str, typer.Option(help="published or predicted.")] = "predicted",
    chip_price: ChipPrice = None,
    overrides: Set = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Find where a mixture of experts stops paying off.

    Compared with a dense model, as one key of the scenario varies.
    """
    from simulator.questions.budget.crossover import crossover as answer

    present(
        answer(
            sparse,
            dense,
            over=over,
            low=low,
            high=high,
            points=points,
            of=of,
            equal=equal,
            law=law,
            beyond_range=beyond_range,
            mfu=mfu,
            watts=watts,
            basis=basis,
            overrides=overridden(overrides, chip_price),
        ),
        as_json=as_json,
        as_csv=as_csv,
        explain=explain,
        plot=plot,
    )
