"""The verb that asks a trained model tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from energy.app import Csv, Json, Pue, Zone, examples, output_file, output_folder
from energy.console import print_data
from glam.verbs.options import ChosenDevice, Meter


@examples(
    "glam eval runs/first --data items/ --limit 100",
    "glam eval runs/first --data items/ --tasks boolq,copa --shots 1 --plot tasks.png",
)
def evaluate(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="Folder of a run, or a checkpoint in it.")
    ],
    suite: Annotated[str, typer.Option(help="glam29: the 29 tasks of the paper.")] = "glam29",
    tasks: Annotated[
        str | None, typer.Option(metavar="A,B", help="Only these tasks of the suite.")
    ] = None,
    shots: Annotated[int, typer.Option(min=0, max=1, help="Examples before each item.")] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="Most items of a task.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder of TASK.jsonl; without it, the hub of data sets.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="New folder for record.json and the ledger.", callback=output_folder),
    ] = None,
    device: ChosenDevice = "auto",
    plot: Annotated[
        Path | None,
        typer.Option(help="Picture to write: .png or .svg.", callback=output_file(".png", ".svg")),
    ] = None,
    zone: Zone = None,
    pue: Pue = None,
    meter: Meter = None,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Ask a model the 29 tasks of the paper, under the meters.

    Tasks without items are listed as not run, and are in no average.
    """
    from functools import partial

    from glam.evaluation.suite import chosen_tasks

    chosen = chosen_tasks(suite, tasks)  # a slip is refused before lm-eval is imported
    from energy import Tracker
    from energy.facts.site import site_from_options
    from energy.meters import sources
    from glam.evaluation import page, run

    sources.require(meter or "auto")
    evaluation = run.evaluate_checkpoint(
        checkpoint,
        chosen,
        data=data,
        shots=shots,
        limit=limit,
        device=device,
        out=out,
        tracker=partial(Tracker, meters=meter or "auto", site=site_from_options(zone, pue)),
    )
    if plot is not None:
        from glam.evaluation import picture

        picture.save(plot, evaluation)
    if not print_data(evaluation.as_json(), as_json=json, as_csv=csv):
        page.show(evaluation)
