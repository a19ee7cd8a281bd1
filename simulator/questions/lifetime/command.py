"""The verb `lifetime`: when serving has spent what training did."""

from __future__ import annotations

from typing import Annotated

import typer

from energy.app import Csv, Json, Pue, Zone, examples
from simulator.kit.answer import present
from simulator.kit.options import (
    Batch,
    Explain,
    Osl,
    Plot,
    Prompt,
    Reserve,
    ServedBy,
    ServedOn,
    Set,
    Weights,
    overridden,
    tokens_of,
)


@examples(
    "simulator lifetime glam-8b glam-8b --tokens-per-day 100M --chip h100",
    "simulator lifetime glam-64b-64e glam-64b-64e --against gpt3-175b --tokens-per-day 1e9 "
    "--chip b200 --chips 32 --batch 512 --plot lifetime.png",
)
def lifetime(
    train: Annotated[
        str, typer.Argument(metavar="TRAIN", help="A preset, a model, a file or a record.")
    ],
    serve: Annotated[str, typer.Argument(metavar="SERVE", help="The model that is served.")],
    tokens_per_day: Annotated[
        float, typer.Option(parser=tokens_of, metavar="TOKENS", help="Answered a day: 1B, 1e9.")
    ],
    against: Annotated[
        str | None, typer.Option(metavar="TRAIN", help="Training of a second model.")
    ] = None,
    against_serve: Annotated[
        str | None, typer.Option(metavar="SERVE", help="The second model, if named otherwise.")
    ] = None,
    chip: ServedOn = "h100",
    chips: ServedBy = 1,
    batch: Batch = 64,
    isl: Prompt = 512,
    osl: Osl = 512,
    precision: Weights = "bf16",
    zone: Zone = None,
    pue: Pue = None,
    reserve: Reserve = None,
    overrides: Set = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Find the day on which serving has spent what training did.

    With a second model: which of the two spends less, after how many tokens.
    """
    from simulator.questions.lifetime.answer import lifetime as answer

    present(
        answer(
            train,
            serve,
            tokens_per_day=tokens_per_day,
            against=against,
            against_serve=against_serve,
            chip=chip,
            chips=chips,
            batch=batch,
            isl=isl,
            osl=osl,
            precision=precision,
            zone=zone,
            pue=pue,
            reserve=reserve,
            overrides=overridden(overrides),
        ),
        as_json=as_json,
        as_csv=as_csv,
        explain=explain,
        plot=plot,
    )
