"""The verbs that ask trained models tasks, make tasks of unseen text, and compare the answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from energy.app import Csv, Json, Pue, Zone, examples, output_file, output_folder
from energy.console import print_data
from glam.verbs.options import ChosenDevice, Meter, RunOrCheckpoint

DRAWN = output_file(".png", ".svg", needs="matplotlib")


@examples(
    "glam eval runs/first --data items/ --limit 100",
    "glam eval runs/first --data items/ --tasks boolq,copa --shots 1 --plot tasks.png",
)
def evaluate(
    checkpoint: RunOrCheckpoint,
    suite: Annotated[str, typer.Option(help="glam29: the paper's; home: glam items'.")] = "glam29",
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
        typer.Option(help="Picture to write: .png or .svg.", callback=DRAWN),
    ] = None,
    zone: Zone = None,
    pue: Pue = None,
    meter: Meter = None,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Ask a model the paper's 29 tasks or home-made ones, metered.

    Tasks without items are listed as not run, and are in no average.
    Home-made ones are the suite home.
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


@examples(
    "glam items runs/first --out items/home",
    "glam items runs/first --data more/ --items 500 --out items/home",
)
def items(
    checkpoint: RunOrCheckpoint,
    out: Annotated[Path, typer.Option(help="Folder to write TASK.jsonl into.")],
    data: Annotated[
        list[str] | None,
        typer.Option(help="More text that was not trained on: file, folder, ...; repeatable."),
    ] = None,
    count: Annotated[
        int, typer.Option("--items", min=1, help="Most items of a task in each split.")
    ] = 1000,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Make questions of text that a run was not trained on.

    Three tasks (last word, docstring of a function, completion), each with items for training,
    validation and test, for glam eval --suite home and glam finetune.
    """
    from energy.files import require_writable

    require_writable(out / "about.json")
    from glam.evaluation.home.making import make
    from glam.evaluation.home.unseen import Unseen
    from glam.generation.loading import load_trained

    trained = load_trained(checkpoint, "cpu")
    counts = make(Unseen(trained.config, trained.tokenizer, data or ()), out, count)
    rows = [{"task": task, **splits} for task, splits in counts.items()]
    if not print_data(rows, as_json=json, as_csv=csv):
        from glam.evaluation import page

        page.show_items(rows)


@examples("glam compare evals/dense evals/mixture", "glam compare evals/zero evals/one --json")
def compare(
    first: Annotated[Path, typer.Argument(metavar="FIRST", help="An --out folder of glam eval.")],
    second: Annotated[Path, typer.Argument(metavar="SECOND", help="Another, of the same items.")],
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Test whether one of two evaluations has more right answers.

    Items are matched one by one; p values are of swapping the answers of both.
    """
    from dataclasses import asdict

    from glam.evaluation import page, paired

    rows = paired.differences(paired.load(first), paired.load(second))
    if not print_data([asdict(row) for row in rows], as_json=json, as_csv=csv):
        page.show_differences(rows)
