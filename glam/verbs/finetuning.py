"""The verb that tunes a trained model on tasks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from energy.app import Csv, Json, Pue, Zone, examples
from energy.console import print_data
from glam.verbs.options import ChosenDevice, Meter, RunOrCheckpoint

Tasks = Annotated[str, typer.Option(metavar="A,B", help="Tasks, or a suite: glam29, home.")]


Weights = Annotated[str, typer.Option(help="all, frozen-router or adapters.")]


Targets = Annotated[
    str, typer.Option(metavar="A,B", help="Of adapters: attention, dense, experts.")
]


Patience = Annotated[int, typer.Option(min=1, help="Epochs without a lower validation loss.")]


Limit = Annotated[int | None, typer.Option(min=1, help="Most test items of a task.")]


@examples(
    "glam finetune runs/first --task home_completion --data items/home --out runs/tuned",
    "glam finetune runs/first --task home --data items/home --weights adapters --out runs/low-rank",
)
def finetune(
    checkpoint: RunOrCheckpoint,
    task: Tasks,
    data: Annotated[Path, typer.Option(help="Folder of TASK.train.jsonl.")],
    out: Annotated[Path, typer.Option(help="New folder for checkpoint, record and ledger.")],
    weights: Weights = "all",
    rank: Annotated[int, typer.Option(min=1, help="Rank of adapters.")] = 8,
    targets: Targets = "attention,dense,experts",
    learning_rate: Annotated[float, typer.Option(min=0, help="Peak of AdamW.")] = 1e-3,
    batch: Annotated[int, typer.Option(min=1, help="Items of a step.")] = 32,
    epochs: Annotated[int, typer.Option(min=1, help="Most passes over the items.")] = 10,
    patience: Patience = 2,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the order of items.")] = 0,
    limit: Limit = None,
    device: ChosenDevice = "auto",
    zone: Zone = None,
    pue: Pue = None,
    meter: Meter = None,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Tune a model on tasks under the meters, with loss on answers.

    Ends when the validation loss no longer falls; asks the test items before and after.
    """
    from functools import partial

    from energy.errors import require_choice
    from energy.meters import sources

    sources.require(meter or "auto")
    require_choice("--weights", weights, ("all", "frozen-router", "adapters"))
    from energy import Tracker
    from energy.facts.site import site_from_options
    from energy.reports import summary
    from glam.evaluation import page
    from glam.finetuning import run
    from glam.finetuning import weights as trained
    from glam.finetuning.tuner import Recipe

    chosen = trained.require_targets(targets)
    recipe = Recipe(weights, rank, chosen, learning_rate, batch, epochs, patience, seed)
    tuned = run.finetune(
        checkpoint,
        run.require_tasks(task),
        data,
        out,
        recipe,
        limit=limit,
        device=device,
        site=site_from_options(zone, pue),
        tracker=partial(Tracker, meters=meter or "auto"),
    )
    if print_data(tuned.as_json(), as_json=json, as_csv=csv):
        return
    if tuned.differences:
        page.show_differences(tuned.differences, "before", "after")
    print(*summary.lines(tuned.record), f"record: {out}", sep="\n", file=sys.stderr)
