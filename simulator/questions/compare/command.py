"""The verb `compare`: runs side by side, and their ratio taken apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from energy.app import Csv, Json, examples
from simulator.kit.answer import present
from simulator.kit.options import (
    Basis,
    Batch,
    BeyondRange,
    ChipPrice,
    Explain,
    Osl,
    Plot,
    Prompt,
    ServedOn,
    Set,
    Weights,
    overridden,
)

if TYPE_CHECKING:
    from simulator.serving.request import Request

Serving = Annotated[
    bool, typer.Option("--serving", help="Also compare the models when they answer.")
]
SERVICE: dict[str, Any] = {
    "chip": "b200",
    "chips": 0,
    "batch": 256,
    "isl": 512,
    "osl": 512,
    "precision": "bf16",
}
"""The service that is compared where none is described."""

FewestChips = Annotated[int, typer.Option(help="With --serving: 0 is as few as hold each model.")]


@examples(
    "simulator compare glam-64b-64e gpt3-175b --accounting as-published --plot compare.png",
    "simulator compare glam-64b-64e gpt3-175b --equal flop",
    "simulator compare gpt3-175b glam-64b-64e --equal quality --beyond-range",
    "simulator compare glam-64b-64e glam-137b --basis predicted --json",
    "simulator compare glam-64b-64e gpt3-175b --serving",
)
def compare(
    names: Annotated[
        list[str],
        typer.Argument(metavar="RUN", help="Two or more presets, models, files or records."),
    ],
    basis: Basis = "auto",
    accounting: Annotated[
        str | None,
        typer.Option(help="CO2 by location (gross), market (net) or as-published: gross with net."),
    ] = None,
    equal: Annotated[
        str | None,
        typer.Option(
            help="Make tokens, flop, energy, time or quality equal: later runs are rescaled."
        ),
    ] = None,
    law: Annotated[
        str | None, typer.Option(help="With --equal quality: the law of loss that is used.")
    ] = None,
    beyond_range: BeyondRange = False,
    serving: Serving = False,
    chip: ServedOn = SERVICE["chip"],
    chips: FewestChips = SERVICE["chips"],
    batch: Batch = SERVICE["batch"],
    isl: Prompt = SERVICE["isl"],
    osl: Osl = SERVICE["osl"],
    precision: Weights = SERVICE["precision"],
    chip_price: ChipPrice = None,
    overrides: Set = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Compare runs side by side, and take their ratio apart.

    model x machine x mechanization (PUE) = energy; x map (grid) = CO2.
    """
    from simulator.questions.compare.answer import compare as answer

    service = dict(zip(SERVICE, (chip, chips, batch, isl, osl, precision), strict=True))
    present(
        answer(
            *names,
            basis=basis,
            accounting=accounting,
            equal=equal,
            law=law,
            beyond_range=beyond_range,
            serving=_service(service, wanted=serving),
            overrides=overridden(overrides, chip_price),
        ),
        as_json=as_json,
        as_csv=as_csv,
        explain=explain,
        plot=plot,
    )


def _service(described: dict[str, Any], *, wanted: bool) -> Request | None:
    """The service to compare; one that is described and would not be compared is refused."""
    from energy.errors import InputError

    if wanted:
        from simulator.serving.request import Request

        return Request(model="", **described)
    if described != SERVICE:
        words = "--chip, --chips, --batch, --isl, --osl or --precision"
        raise InputError(f"expected --serving with {words}", "no --serving")
    return None
