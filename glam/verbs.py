"""The verbs of the command `glam`: each parses, calls and prints; torch is imported inside them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from energy.app import Csv, Json, Pue, Zone, examples, output_file, output_folder
from energy.console import print_data

if TYPE_CHECKING:
    from energy import Tracker

Data = Annotated[
    list[str] | None,
    typer.Option(
        help="File, folder, Parquet or hf:NAME; repeatable. Default: Python's own library."
    ),
]


Device = Annotated[str | None, typer.Option(help="auto, cpu or cuda.")]


Precision = Annotated[
    str | None,
    typer.Option(help="float32, bfloat16, or auto: bfloat16 where products in it are faster."),
]


ChosenDevice = Annotated[str, typer.Option(help="auto, cpu or cuda.")]


Meter = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Meter to read; default all. cpu_tree: only this run."),
]


Resume = Annotated[bool, typer.Option("--resume", help="Continue from the last checkpoint.")]


Group = Annotated[
    bool, typer.Option("--group", help="Let your group read the run; else only you may.")
]


Router = Annotated[
    str | None, typer.Option(help="dropless, glam or gshard (top-2), or switch (top-1).")
]


Machine = Annotated[
    Path | None, typer.Option(help="File of simulator calibrate, for the peak of MFU.")
]


ExpertParallel = Annotated[
    int, typer.Option(min=1, help="Processes of torchrun that share out the experts.")
]


DataParallel = Annotated[
    int, typer.Option(min=0, help="Copies of each expert. Default: processes over the above.")
]


Shard = Annotated[
    bool, typer.Option("--shard", help="Divide weights and optimizer among their copies.")
]


Balance = Annotated[
    str, typer.Option(help="Loads that are balanced: of the global batch, or local.")
]


Timeout = Annotated[float, typer.Option(min=1, help="Seconds to wait for another process.")]


@examples(
    "glam train --model glam-mini-16e --out runs/first",
    "glam train --model run.toml --data books/ --out runs/books --resume",
)
def train(
    model: Annotated[str, typer.Option(help="A model (glam sizes), or the TOML file of one.")],
    out: Annotated[Path, typer.Option(help="Folder of the run.")],
    data: Data = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Optimizer steps.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Sequences per batch.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of weights and data order.")] = None,
    optimizer: Annotated[str | None, typer.Option(help="adafactor or adamw.")] = None,
    family: Annotated[str | None, typer.Option(help="glam, or plain: from its paper.")] = None,
    router: Router = None,
    device: Device = None,
    precision: Precision = None,
    machine: Machine = None,
    resume: Resume = False,
    group: Group = False,
    zone: Zone = None,
    pue: Pue = None,
    meter: Meter = None,
    expert_parallel: ExpertParallel = 1,
    data_parallel: DataParallel = 0,
    shard: Shard = False,
    balance: Balance = "global",
    timeout: Timeout = 600,
) -> None:
    """Train a model under the meters.

    Writes record, metrics, ledger and checkpoints.
    """
    from functools import partial

    from energy import Tracker
    from energy.facts.site import site_from_options
    from energy.meters import sources
    from energy.reports import summary
    from glam.config import GlamConfig
    from glam.device import machine_peak
    from glam.distributed.degrees import Parallelism, is_first
    from glam.training.run import train as train_model

    sources.require(meter or "auto")
    if group:
        os.umask(os.umask(0) & ~0o050)  # files that a run has besides ledger and record
    changes = {"steps": steps, "batch_sequences": batch, "seed": seed, "optimizer": optimizer}
    config = GlamConfig.of(model).with_training(device=device, precision=precision, **changes)
    config = config.with_family(family).with_router(router)
    if data:
        config = config.with_corpus_paths(data)
    record = train_model(
        config,
        out,
        resume=resume,
        group=group,
        site=site_from_options(zone, pue),
        peak_flop_per_s=machine_peak(machine) if machine else None,
        tracker=partial(Tracker, meters=meter or "auto"),
        parallelism=Parallelism(expert_parallel, data_parallel, shard, balance, timeout),
    )
    if is_first():
        print(*summary.lines(record), f"record: {out / 'record.json'}", sep="\n", file=sys.stderr)


@examples(
    'glam generate runs/first --prompt "The function returns"',
    "glam generate runs/first --tokens 200 --out runs/answer",
)
def generate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")],
    prompt: Annotated[str, typer.Option(help="Text to continue.")] = "",
    tokens: Annotated[int, typer.Option(min=1, help="Tokens to add.")] = 100,
    temperature: Annotated[float, typer.Option(min=0, help="0 takes the likeliest token.")] = 0.8,
    top_p: Annotated[float, typer.Option(min=0, max=1, help="Probability of the nucleus.")] = 0.95,
    seed: Annotated[int, typer.Option(help="Seed of the sampling.")] = 0,
    best: Annotated[
        bool, typer.Option("--best", help="The checkpoint with the lowest validation loss.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Meter it: new folder for record and ledger.", callback=output_folder),
    ] = None,
    meter: Meter = None,
    device: ChosenDevice = "auto",
) -> None:
    """Continue a prompt with a checkpoint of a run.

    By default with its newest. With --out, under the meters: prefill and decode apart.
    """
    from glam.generation import generate as generate_text

    tracker = _tracker_of(out, meter)
    pieces = generate_text(
        run,
        prompt,
        tokens=tokens,
        temperature=temperature,
        top_p=top_p,
        seed=seed,
        device=device,
        best=best,
        meter=tracker,
    )
    first = next(pieces, "")  # errors come before the prompt is printed
    print(prompt + first, end="", flush=True)
    for piece in pieces:
        print(piece, end="", flush=True)
    print()
    if out is not None:
        from energy import RunRecord
        from energy.reports import summary

        record = RunRecord.load(out)
        print(*summary.lines(record), f"record: {out / 'record.json'}", sep="\n", file=sys.stderr)


def _tracker_of(out: Path | None, meter: list[str] | None) -> Tracker | None:
    """The meters of an answer, where it has a folder; an unknown one is refused either way."""
    from energy.errors import InputError
    from energy.ledger.lines import FILE
    from energy.meters import sources

    sources.require(meter or "auto")
    if out is None:
        return None
    if (out / FILE).exists():
        raise InputError("expected a folder without a ledger", str(out), "name another with --out")
    from energy import Tracker

    return Tracker(out, name="generate", meters=meter or "auto")


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


@examples("glam sizes")
def sizes(json: Json = False, csv: Csv = False) -> None:
    """List the models that can be trained, with parameter counts."""
    from dataclasses import asdict

    from energy.facts import catalog
    from energy.shape import active_parameters, parameters, total
    from energy.units import count
    from glam.family import builds, default_architecture, family_of

    rows: list[dict[str, Any]] = [
        {
            "name": row.name,
            "params_total": total(parameters(row.shape)),
            "params_active": total(active_parameters(row.shape)),
            "shape": row.shape.as_dict(),
            "family": family_of(default_architecture(row.shape)),
            "architecture": asdict(default_architecture(row.shape)),
        }
        for row in catalog.models()
        if builds(row.shape)
    ]
    if print_data(rows, as_json=json, as_csv=csv):
        return
    from energy.reports.terminal import console, table

    lines = table("name", "total", "active", "layers", "width", "experts", "family")
    for row in rows:
        shape = row["shape"]
        experts = str(shape["n_experts"]) if shape["n_moe_layers"] else "dense"
        counts = (count(row[name]) for name in ("params_total", "params_active"))
        size = (str(shape["n_layers"]), str(shape["d_model"]), experts)
        lines.add_row(row["name"], *counts, *size, row["family"])
    console().print(lines)
    for family, fields in {row["family"]: row["architecture"] for row in rows}.items():
        print(f"\n{family}: " + ", ".join(f"{name} {value}" for name, value in fields.items()))


@examples("glam probe --out probe.json", "simulator calibrate probe.json")
def probe(
    out: Annotated[Path, typer.Option(help="File to write.")],
    device: ChosenDevice = "auto",
    precision: Precision = None,
    meter: Meter = None,
) -> None:
    """Time operations on this machine, for simulator calibrate.

    Takes about 25 s on two cores.
    """
    import json

    from energy.files import require_writable, write_text_atomic
    from energy.meters import sources
    from glam.probing import probe as probe_machine
    from glam.progress import Stages

    sources.require(meter or "auto")
    require_writable(out)
    with Stages("measuring this machine") as stages:
        table = probe_machine(
            device,
            precision="auto" if precision is None else precision,
            meters=meter or "auto",
            on_progress=stages.show,
        )
    write_text_atomic(out, json.dumps(table, indent=1) + "\n")
    print(f"{len(table['rows'])} rows: {out}", file=sys.stderr)
