"""The verb that looks into the experts of a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from energy.app import Csv, Json, examples, output_folder
from energy.console import print_data
from energy.errors import require_package
from glam.verbs.options import ChosenDevice


@examples(
    "glam experts runs/first --plot experts/",
    "glam experts runs/first --data code=src/ --data prose=docs/ --tokens 100000 --json",
)
def experts(
    checkpoint: Annotated[
        list[Path],
        typer.Argument(metavar="CHECKPOINT", help="Folder of a run, or checkpoints of it."),
    ],
    data: Annotated[
        list[str] | None,
        typer.Option(metavar="DOMAIN=PATH", help="Text; repeatable. Default: that of the run."),
    ] = None,
    tokens: Annotated[int, typer.Option(min=1, help="Validation tokens to route.")] = 204_800,
    off: Annotated[
        int, typer.Option(min=0, help="Tokens on which each expert is switched off; 0: none.")
    ] = 65_536,
    permutations: Annotated[
        int, typer.Option(min=1, help="Permutations of labels for each p value.")
    ] = 4999,
    routers: Annotated[
        int, typer.Option(min=0, help="Routers with random weights to compare with.")
    ] = 99,
    device: ChosenDevice = "auto",
    plot: Annotated[
        Path | None, typer.Option(help="Folder for the pictures.", callback=output_folder)
    ] = None,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Show which tokens each expert takes, and what it is worth.

    Against chance and routers with random weights, on validation text. Of a run's folder, all
    checkpoints: how it grew.
    """
    from glam.specialization import page, run

    if plot is not None:
        require_package("matplotlib")
    studied = run.study_checkpoints(
        checkpoint,
        run.Text(data or (), tokens, off),
        permutations=permutations,
        routers=routers,
        device=device,
    )
    if plot is not None:
        from glam.specialization import picture

        picture.save(plot, studied)
    if not print_data(studied.as_json(), as_json=json, as_csv=csv):
        page.show(studied)
